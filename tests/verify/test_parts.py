"""What of `make verify` can be wrong without any program: its rules, its table, its tools, its end."""

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from support.processes import PENSTOCK, TESTS
from verify.ports import is_free, new_port
from verify.programs.keeper import Keeper
from verify.programs.prometheus import RULES, hastened
from verify.report import LeftOut, Report
from verify.suites import Suite
from verify.tools import NAMES, SCRIPT, Missing, Tools

HOLDER = """
import subprocess, sys
from verify.programs.keeper import Keeper
keeper = Keeper()
child = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)
keeper.tell(f"+{child.pid}")
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_each_minute_of_a_rule_becomes_a_second() -> None:
    """And each hour a minute; what a series is called, and what it is compared with, stays."""
    rule = 'expr: a:ratio_rate5m{of="5m"} / increase(b[15m] offset 30m) > 300 and c[1h]\nfor: 2m'
    fast = 'expr: a:ratio_rate5m{of="5s"} / increase(b[15s] offset 30s) > 300 and c[1m]\nfor: 2s'
    assert hastened(rule) == fast
    assert "for: 0s" in hastened(RULES.read_text())


def test_a_check_that_fails_does_not_keep_the_next_from_being_made() -> None:
    """Each has its row, with what was seen or what was wrong; and the table says how many."""
    report = Report(Console(quiet=True))
    with report.check("one", "program 1") as row:
        row.seen = "a figure"
    with report.check("two", "program 2"):
        raise AssertionError("[it] was not")
    with report.check("three", "program 3"):
        raise LeftOut("there is no program 3")
    rows = [(check.result, check.seen) for check in report.checks]
    expected = [
        ("ok", "a figure"),
        ("failed", "AssertionError: [it] was not"),
        ("left out", "there is no program 3"),
    ]
    assert rows == expected
    console = Console(width=120)
    with console.capture() as told:
        console.print(report.table())
    assert "[it] was not" in told.get()
    assert "1 ok, 1 failed, 1 left out" in told.get()


@pytest.mark.parametrize(("complete", "failed"), [(False, False), (True, True)])
def test_what_is_left_out_fails_where_all_has_to_be_checked(complete: bool, failed: bool) -> None:
    """Elsewhere it is told, and that is all."""
    report = Report(Console(quiet=True))
    assert report.failed(complete=complete), "nothing was checked"
    with report.check("one", "") as row:
        row.seen = "a figure"
    report.leave_out("two", "", "no Go here")
    assert report.failed(complete=complete) is failed


def test_an_interruption_is_no_failed_check() -> None:
    """It ends the run."""
    report = Report(Console(quiet=True))
    with pytest.raises(KeyboardInterrupt), report.check("one", ""):
        raise KeyboardInterrupt
    assert report.checks == []


def test_nothing_outlives_a_run_that_is_killed() -> None:
    """The keeper notices, and ends what was left."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    ) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        gone = os.pidfd_open(child)
        holder.send_signal(signal.SIGKILL)
    try:
        assert ended(gone)
    finally:
        os.close(gone)


def ended(process: int) -> bool:
    """Whether the process of that descriptor ends within half a minute."""
    return bool(select.select([process], [], [], 30.0)[0])


def script(folder: Path, text: str) -> Path:
    """A script that finds programs, or does not."""
    found = folder / "verify-tools"
    found.write_text(f"#!/bin/sh\n{text}\n")
    found.chmod(0o700)
    return found


def test_a_program_that_cannot_be_had_is_told_with_the_last_words_of_the_script(tmp_path: Path) -> None:
    """That is the reason; one that is here has a version."""
    keeper = Keeper()
    text = f'if [ "$1" = redis ]; then echo {PENSTOCK}; else echo looked >&2; echo no network >&2; exit 1; fi'
    with Tools(keeper, script=script(tmp_path, text)) as tools:
        with pytest.raises(Missing, match=r"^no network$"):
            tools.get("jaeger")
        assert str(tools.get("redis").path) == PENSTOCK
        assert tools.version("redis") not in {"", "?"}
        assert tools.version("jaeger") == ""
    keeper.close()


def test_programs_that_are_still_being_had_are_given_up_at_the_end(tmp_path: Path) -> None:
    """Whoever stops the run does not wait for a compiler."""
    keeper = Keeper()
    with Tools(keeper, script=script(tmp_path, "exec sleep 600")) as tools:
        pass
    with pytest.raises(Missing):
        tools.get("jaeger")
    keeper.close()


def test_the_script_knows_every_program_and_no_other() -> None:
    """Its usage names them."""
    done = subprocess.run([SCRIPT, "nothing"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert set(done.stderr.split()[-1].split("|")) == set(NAMES)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("assert True", None),
        ("assert False", "1 failed"),
        ("import pytest; pytest.skip('no server')", "1 of 1 tests were skipped"),
    ],
)
def test_a_suite_passes_when_all_of_its_tests_were_run_and_passed(
    tmp_path: Path, body: str, wrong: str | None
) -> None:
    """A test that was skipped has shown nothing."""
    (tmp_path / "test_one.py").write_text(f"def test_one():\n    {body}\n")
    suite = Suite(name="one", arguments=(str(tmp_path / "test_one.py"), "-c", os.devnull))
    keeper = Keeper()
    try:
        if wrong is None:
            assert suite.run(tmp_path, keeper, {}) == "1 tests passed"
        else:
            with pytest.raises(AssertionError, match=wrong):
                suite.run(tmp_path, keeper, {})
    finally:
        keeper.close()


def test_no_port_is_given_twice_or_to_somebody_who_has_to_share_it() -> None:
    """Nor one that connections are given, which one of them might have when its program starts again."""
    ports = [new_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert max(ports) < 32_768
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert not is_free(listener.getsockname()[1])
