"""The documentation that follows from the code, and the facts it must not forget."""

import importlib.util
import inspect
import re
import subprocess
import sys
import typing
from pathlib import Path
from types import ModuleType

import pytest

from penstock.engine import events

ROOT = Path(__file__).parent.parent


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["job-life.md", "events.md", "metrics.md"])
def test_generated_pages_are_fresh(page: str) -> None:
    """Run `python docs/generate.py` after changing the table of moves, an event or a metric."""
    assert (ROOT / "docs" / page).read_text() == _generator().PAGES[page]()


def test_every_public_event_is_in_the_union_and_has_a_docstring() -> None:
    """The list of events is an interface: none is emitted that it does not name."""
    union = set(typing.get_args(events.Event))
    defined = {
        value
        for value in vars(events).values()
        if inspect.isclass(value)
        and value.__module__ == events.__name__
        and hasattr(value, "__struct_fields__")
    }
    assert defined == union
    assert all(event.__doc__ for event in union)


def test_every_key_that_the_scripts_use_is_in_the_architecture() -> None:
    """In which key a fact lives, and who deletes it, is written down for each of them."""
    prologue = (ROOT / "engine/penstock/engine/scripts/prologue.lua").read_text()
    names = set(re.findall(r"root \.\. '([a-z]+):?'", prologue)) | {"wake"}
    table = (ROOT / "ARCHITECTURE.md").read_text()
    assert len(names) > 12
    assert {name for name in names if f"`…{name}" not in table} == set()


def test_every_script_has_its_contract_above_it() -> None:
    """ARGV and what each result means stand at the head of each Lua file."""
    scripts = ROOT / "engine/penstock/engine/scripts"
    for script in scripts.glob("*.lua"):
        if script.name != "prologue.lua":
            head = script.read_text().split("\n\n")[0]
            assert re.search(r"ARGV", head), script.name
            assert re.search(r"Returns", head), script.name


def test_the_readmes_python_runs_as_it_stands() -> None:
    """The ten lines, and the test without a server that follows them."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    [ten_lines] = [block for block in blocks if "thumbs.py" in block]
    [without_server] = [block for block in blocks if "MockClock" in block]
    subprocess.run([sys.executable, "-c", ten_lines + without_server], check=True, timeout=60)


PAGES = sorted(str(page.relative_to(ROOT)) for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Every relative link in a page names a file that exists."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / target).exists(), target
