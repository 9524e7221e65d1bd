"""A place for a process: started again after every end, judged by how it ended, empty once retired."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from benchmarks.chaos.slot import Slot
from benchmarks.history import Record, Recorder, records

LISTENS = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("up", flush=True)
while True:
    signal.pause()
"""
STUBBORN = LISTENS.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
WITHIN = 30.0


class Rig:
    """A slot, what was recorded of it, and how many lives have said that they are up."""

    def __init__(self, folder: Path, program: str) -> None:
        self.recorded: list[Record] = []
        recorder = Recorder("harness", self.recorded.append)
        self.slot = Slot("thing-1", lambda _life, _number: ["-c", program], recorder, folder)

    async def up(self, lives: int = 1) -> None:
        """Wait until so many processes have come up, one after the other."""
        with trio.fail_after(WITHIN):
            while self._said().count("up") < lives:  # noqa: ASYNC110 - nobody tells
                await trio.sleep(0.01)

    def _said(self) -> str:
        return self.slot.log.read_text() if self.slot.log.exists() else ""


@asynccontextmanager
async def rig(folder: Path, program: str = LISTENS) -> AsyncGenerator[Rig]:
    """A running slot; its process is killed at the end of the block."""
    place = Rig(folder, program)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(place.slot.run)
        yield place
        nursery.cancel_scope.cancel()


async def test_killed_it_is_started_again_and_its_death_is_recorded(tmp_path: Path) -> None:
    """A death is no complaint; the history hears which life it was."""
    async with rig(tmp_path) as place:
        await place.up()
        await place.slot.kill(0.0)
        await place.up(2)
        assert [death.name for death in place.slot.deaths] == ["thing-1"]
        [crash] = place.recorded
        assert isinstance(crash, records.Crashed)
        assert crash.victim == "thing-1.1"
        assert place.slot.complaints == []


async def test_drained_it_ends_well_and_is_started_again(tmp_path: Path) -> None:
    """An end that was asked for is no complaint and no death."""
    async with rig(tmp_path) as place:
        await place.up()
        await place.slot.drain(0.0)
        await place.up(2)
        assert (place.slot.deaths, place.slot.complaints) == ([], [])


@pytest.mark.parametrize("code", [0, 1])
async def test_an_end_that_nobody_asked_for_is_a_complaint(tmp_path: Path, code: int) -> None:
    """A worker must never end by itself, not even well."""
    async with rig(tmp_path, f"print('up', flush=True); raise SystemExit({code})") as place:
        await place.up(2)
        assert "thing-1.1 ended by itself" in place.slot.complaints[0]


async def test_one_that_does_not_drain_is_a_complaint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed when its time is up."""
    monkeypatch.setattr("benchmarks.chaos.slot.END_WITHIN", 0.2)
    async with rig(tmp_path, STUBBORN) as place:
        await place.up()
        await place.slot.drain(0.0)
        assert "had not ended" in place.slot.complaints[0]


async def test_frozen_it_goes_on_even_if_the_run_ends_meanwhile(tmp_path: Path) -> None:
    """Whoever stopped it lets it go on: nothing stays stopped."""
    async with rig(tmp_path) as place:
        await place.up()
        with trio.move_on_after(0.05):
            await place.slot.stop(1000)
        with trio.fail_after(WITHIN):
            await place.slot.retire()
        assert place.slot.complaints == []


async def test_retired_there_is_no_process_and_none_comes(tmp_path: Path) -> None:
    """Also when it is retired while a process is being started."""
    async with rig(tmp_path) as place:
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(WITHIN):
            await place.slot.retire()
        assert place.slot.lives <= 1
        assert place.slot.complaints == []
