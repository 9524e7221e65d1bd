"""Sinks of a relay process are opened in the background, tried again, and closed at the end."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import structlog
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from penstock.deploy.sinks import OpenedSink, SinkNotOpen
from penstock.engine.errors import ConfigurationError
from relay.rig import Shelf


class Door:
    """Opens after so many tries."""

    def __init__(self, failures: int = 0, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or OSError("no route")
        self.shelf = Shelf()
        self.open = False

    @asynccontextmanager
    async def __call__(self) -> AsyncGenerator[Shelf]:
        if self.failures > 0:
            self.failures -= 1
            raise self.error
        self.open = True
        try:
            yield self.shelf
        finally:
            self.open = False


async def test_a_sink_that_is_away_is_opened_once_it_is_back(autojump_clock: MockClock) -> None:
    """Until then it takes nothing, and one line in the log says so."""
    door = Door(failures=3)
    with structlog.testing.capture_logs() as lines:
        sink = OpenedSink("shelf", door, structlog.get_logger())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sink.run)
            await wait_all_tasks_blocked()
            with pytest.raises(SinkNotOpen, match="shelf"):
                await sink.take([])
            await trio.sleep(60)
            await sink.take([])
            assert (door.open, len(door.shelf.asked)) == (True, 1)
            nursery.cancel_scope.cancel()
    assert not door.open
    assert [(line["event"], line["sink"]) for line in lines] == [
        ("sink cannot be opened, trying again", "shelf")
    ]


async def test_what_cannot_be_opened_ever_ends_the_relay(autojump_clock: MockClock) -> None:
    """A wrong address gets no better by waiting."""
    sink = OpenedSink("shelf", Door(1, ConfigurationError("no such driver")), structlog.get_logger())
    with pytest.raises(ConfigurationError, match="no such driver"):
        await sink.run()
