"""One connection through the proxy: each mishap does what it says, and nothing else."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from benchmarks.chaos.line import Line
from benchmarks.chaos.misfortune import Misfortune, Mishap

ENDED = (trio.BrokenResourceError, trio.ClosedResourceError)


class Ends:
    """The client's and the server's end of a line, and the mishaps that have happened."""

    def __init__(self, fate: Misfortune) -> None:
        self.happened: Counter[Mishap] = Counter()
        self.client, near = memory_stream_pair()
        far, self.server = memory_stream_pair()
        self.line = Line(near, far, fate, self._note)

    def _note(self, mishap: Mishap) -> None:
        self.happened[mishap] += 1


@asynccontextmanager
async def line(kind: Mishap = "none", *, seconds: float = 3.0, late: float = 0.1) -> AsyncGenerator[Ends]:
    """A running line whose mishap comes ten seconds after its opening."""
    ends = Ends(Misfortune(kind, after=10.0, seconds=seconds, late=late))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ends.line.run)
        yield ends
        nursery.cancel_scope.cancel()


async def hears(stream: trio.abc.ReceiveStream, within: float) -> bytes | None:
    """What comes next: bytes, b"" at the end of the stream, None where nothing comes."""
    with trio.move_on_after(within):
        try:
            return bytes(await stream.receive_some())
        except ENDED:
            return b""
    return None


@pytest.mark.parametrize("kind", ["none", "cut", "cut_request", "cut_reply", "delay", "stall", "silence"])
async def test_before_the_mishap_everything_passes(autojump_clock: MockClock, kind: Mishap) -> None:
    """Requests and replies arrive as they were sent."""
    async with line(kind) as ends:
        await ends.client.send_all(b"request")
        assert await hears(ends.server, 1) == b"request"
        await ends.server.send_all(b"reply")
        assert await hears(ends.client, 1) == b"reply"
        assert not ends.happened


async def test_without_a_mishap_it_lasts(autojump_clock: MockClock) -> None:
    """A line that is left in peace carries until an end closes."""
    async with line() as ends:
        await trio.sleep(10_000)
        await ends.client.send_all(b"request")
        assert await hears(ends.server, 1) == b"request"
        await ends.client.aclose()
        assert await hears(ends.server, 1) == b""


async def test_cut(autojump_clock: MockClock) -> None:
    """Both ends see the end of the stream, though nobody has sent anything."""
    async with line("cut") as ends:
        assert await hears(ends.client, 11) == b""
        assert await hears(ends.server, 1) == b""
        assert ends.happened == {"cut": 1}


async def test_cut_request(autojump_clock: MockClock) -> None:
    """The server gets half of the request and the end: nothing that it could execute."""
    async with line("cut_request") as ends:
        await trio.sleep(11)
        await ends.client.send_all(b"12345678")
        assert await hears(ends.server, 1) == b"1234"
        assert await hears(ends.server, 1) == b""
        assert await hears(ends.client, 1) == b""
        assert ends.happened == {"cut_request": 1}


async def test_cut_reply(autojump_clock: MockClock) -> None:
    """The server gets the whole request; the client gets the end in place of the reply."""
    async with line("cut_reply") as ends:
        await trio.sleep(11)
        await ends.client.send_all(b"request")
        assert await hears(ends.server, 1) == b"request"
        assert await hears(ends.client, 1) is None
        await ends.server.send_all(b"reply")
        assert await hears(ends.client, 1) == b""
        assert ends.happened == {"cut_reply": 1}


async def test_stall(autojump_clock: MockClock) -> None:
    """Nothing moves for three seconds; then what was sent meanwhile arrives, in both directions."""
    async with line("stall") as ends:
        await trio.sleep(10.5)
        await ends.client.send_all(b"request")
        await ends.server.send_all(b"push")
        assert await hears(ends.server, 2.4) is None
        assert await hears(ends.server, 1) == b"request"
        assert await hears(ends.client, 1) == b"push"
        assert ends.happened == {"stall": 1}


async def test_delay(autojump_clock: MockClock) -> None:
    """For three seconds each piece comes a tenth of a second late; afterwards none does."""
    async with line("delay") as ends:
        await trio.sleep(10.5)
        await ends.client.send_all(b"request")
        assert await hears(ends.server, 0.09) is None
        assert await hears(ends.server, 0.02) == b"request"
        await trio.sleep(3)
        await ends.client.send_all(b"another")
        assert await hears(ends.server, 0.01) == b"another"


async def test_silence(autojump_clock: MockClock) -> None:
    """Nothing arrives any more in either direction, and neither end is told, until the client gives up."""
    async with line("silence") as ends:
        await trio.sleep(11)
        await ends.client.send_all(b"request")
        await ends.server.send_all(b"push")
        assert await hears(ends.server, 100) is None
        assert await hears(ends.client, 100) is None
        await ends.client.aclose()
        assert await hears(ends.server, 1) == b""
        assert ends.happened == {"silence": 1}
