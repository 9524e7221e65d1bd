"""What the jobs under test write down, and what is installed for the peers."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from benchmarks.reliability.lab import ROOT
from benchmarks.reliability.notes import read, work
from benchmarks.reliability.system import PEERS, PENSTOCK, System


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where notes go in this test."""
    path = str(tmp_path / "notes")
    monkeypatch.setenv("RELIABILITY_NOTES", path)
    return path


async def test_a_job_notes_its_start_and_its_end(autojump_clock: MockClock, notes: str) -> None:
    """It takes as long as it was told to."""
    began = trio.current_time()
    await work("job", 3.0, trio.sleep)
    assert trio.current_time() - began == pytest.approx(3.0)
    assert [(note.job, note.event) for note in read(notes)] == [("job", "start"), ("job", "end")]


async def test_a_job_that_is_cancelled_notes_that_it_was_stopped(
    autojump_clock: MockClock, notes: str
) -> None:
    """Its cancellation goes on its way."""
    with trio.move_on_after(1.0) as scope:
        await work("job", 3.0, trio.sleep)
    assert scope.cancelled_caught
    assert [note.event for note in read(notes)] == ["start", "stopped"]


@pytest.mark.parametrize("system", [PENSTOCK, *PEERS], ids=lambda system: system.name)
def test_every_system_has_its_app_and_an_exact_version(system: System) -> None:
    """What is compared can be installed again."""
    assert (ROOT / f"{system.app.replace('.', '/')}.py").exists()
    assert all("==" in package for package in system.packages[:1])
    version = [package.partition("==")[2] for package in system.packages[:1]]
    assert all(number in system.name for number in version)
