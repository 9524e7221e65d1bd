"""Parts of `make test`, run on the real thing."""

import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from verify.programs.keeper import Keeper
from verify.programs.program import clean_environment

ROOT = Path(__file__).parents[2]
WITHIN = 600.0


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """Tests, by what pytest is given."""

    name: str
    arguments: tuple[str, ...]
    workers: int = 0
    """pytest processes, where each has servers of its own."""

    def run(self, folder: Path, keeper: Keeper, env: Mapping[str, str]) -> str:
        """Run them in a process of their own; how many passed.

        Raises `AssertionError` for a failure, for a skipped test, and where no test was found.
        """
        log, results = folder / f"{self.name}.log", folder / f"{self.name}.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(self.workers), "-p", "no:cacheprovider"]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, *self.arguments, f"--junitxml={results}"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**clean_environment(), "CI": "true", **env},
                start_new_session=True,
            )
        keeper.tell(f"+{process.pid}")
        try:
            code = process.wait(WITHIN)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not within {WITHIN:g} s; see {log}") from None
        finally:
            with suppress(ProcessLookupError):  # servers that tests have left behind, too
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            keeper.tell(f"-{process.pid}")
        last = (log.read_text(errors="replace").strip().splitlines() or ["nothing was printed"])[-1]
        assert code == 0, f"{last}; see {log}"
        return _counted(results)


BUS = Suite(
    name="bus-on-kafka", arguments=("tests/bus/test_suite.py", "tests/bus/test_kafka_bus.py", "-k", "kafka")
)
BUS_SECURE = Suite(
    name="bus-on-kafka-tls-sasl",
    arguments=("tests/bus/test_suite.py", "-k", "kafka and (arrives or committed or again)"),
)
STORE = Suite(name="store-on-redis", arguments=("tests/conformance", "-k", "not memory"), workers=2)
HISTORY = Suite(name="history-on-postgresql", arguments=("tests/job_history", "-k", "postgresql"), workers=2)


def _counted(results: Path) -> str:
    suites = list(ET.parse(results).getroot().iter("testsuite"))
    total = sum(int(suite.get("tests", 0)) for suite in suites)
    skipped = sum(int(suite.get("skipped", 0)) for suite in suites)
    assert total, "no tests were found"
    assert not skipped, f"{skipped} of {total} tests were skipped"
    return f"{total} tests passed"
