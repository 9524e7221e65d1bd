# Two commands on a machine that has Python >= 3.11 and make:  make demo   make test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINUTES ?= 3# of chaos
SEED ?= 1
WORKERS ?= 2# pytest processes; every test owns its servers, ports and files

.PHONY: help demo test slow check bench chaos verify manifests nightly clean
help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt --editable '.[server,jaeger,history,postgresql,kafka,outgoing]' --group dev
	@touch $@

demo: $(VENV)/.installed ## Server, API and worker as processes: index the standard library, show what happened
	$(BIN)/python examples/codeindex.py

test: $(VENV)/.installed ## Every test but a few slow ones; no service has to be started by hand
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not slow and not alone"

slow: $(VENV)/.installed ## What takes long: outages of half a minute, a real Prometheus, collectors that are away
	$(BIN)/python -m pytest -q -n $(WORKERS) -m slow
	$(BIN)/python -m pytest -q -m alone

check: $(VENV)/.installed ## ruff, mypy, pyright and the import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(VENV)/.installed ## Measure all of docs/benchmarks.md, peers too, and write it anew; goes on where it ended
	$(BIN)/python -m pip install --quiet -c constraints.txt --group pictures
	$(BIN)/python -m benchmarks standard

manifests: $(VENV)/.installed ## Every manifest and setting under deploy/, read by the programs and schemas it is for
	.ci/manifests
	$(BIN)/python -m pytest -q -n $(WORKERS) tests/manifests

chaos: $(VENV)/.installed ## Kill, stop, drain and cut off everything for MINUTES: nothing lost, nothing twice
	$(BIN)/python -m benchmarks chaos --minutes $(MINUTES) --seed $(SEED)

verify: $(VENV)/.installed ## Jaeger, Prometheus, Alertmanager, Kafka, PostgreSQL and Redis beside Penstock: ten steps, a table
	PYTHONPATH=tests $(BIN)/python -m verify $(PARTS)

nightly: $(VENV)/.installed ## The model test with 2,000 examples, and a thousand simulated worlds that are new every day
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -q -n $(WORKERS) tests/model tests/simulation

clean: ## Remove what make created
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
