"""What these tests and the benchmark stand on."""

from pathlib import Path

import pytest
import trio

import support.debian_tools
import support.postgres
from benchmarks import job_history


@pytest.mark.parametrize(("ci", "ending"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_postgresql_one_is_told_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ci: str, ending: type[BaseException]
) -> None:
    """Its tests are skipped with the reason; in CI, where nobody reads of what was skipped, they fail."""
    script = tmp_path / "debian-tools"
    script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho "no network here" >&2\nexit 1\n')
    script.chmod(0o700)
    monkeypatch.setattr(support.debian_tools, "TOOLS", script)
    monkeypatch.setenv("CI", ci)
    # Both are caught: a skip that goes through would make this test one that is skipped.
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception), match="no network here") as raised:
        support.postgres.binaries()
    assert raised.type is ending
    assert (tmp_path / "asked").read_text() == "postgresql\n"


async def test_the_benchmark_runs_and_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """On a small database; what the figures are is nobody's concern here."""
    with trio.fail_after(60):
        await job_history.run(2_000, None)
    printed = capsys.readouterr().out
    for word in ("wrote     2,000 jobs", "by tenant and time", "by trace id", "bytes a job"):
        assert word in printed
