"""A worker process as its supervisor sees it: started, asked, told, and seen to its end."""

import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import trio

from penstock.deploy.lifeline import Birth, Complaint, Lifeline, Order, Report
from penstock.deploy.shutdown import AFTER_GRACE
from penstock.telemetry.metrics.snapshot import Piece

MISUSED = 2
"""The exit code of a process that cannot work as it was called."""

# Ctrl-C in a terminal is for the whole group, and so is what some service managers send. Ignored until the
# child listens, for Python would show where in its imports it was interrupted, or die of it; that it shall
# drain the child hears from us.
_LAUNCH = 'trap "" INT TERM; exec "$@"'
_LAST_WORDS_WITHIN = (
    1.0  # seconds; they are in the socket already, unless a fork of the child's holds it open
)

_Pieces = list[Piece]


class WorkerProcess:
    """One child, from its start to its end."""

    def __init__(self, process: trio.Process, lifeline: Lifeline) -> None:
        self._process = process
        self._lifeline = lifeline
        self._asked = False  # and not answered yet
        self._news = trio.Event()
        self._silent = trio.Event()
        self._ready = False
        self.pieces: _Pieces = []
        """What it had counted when it last said so."""
        self.complaint: str | None = None
        """What it said was the reason for its end."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def answers(self) -> bool:
        """Whether it has answered when it was last asked."""
        return not self._asked

    @property
    def ready(self) -> bool:
        """Whether it takes jobs, by what it said when it was last asked."""
        return self._ready and self.answers

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.returncode

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self.code or 0
        return _signal_name(-code) if code < 0 else f"exit code {code}"

    async def tell(self, order: Order) -> None:
        """Give an order; nothing happens where it has ended."""
        await self._lifeline.send(order)

    async def report(self) -> None:
        """Have it say how it is; returns when it has, however long that takes, or when it has ended.

        One that has not answered yet is not asked again.
        """
        news = self._news
        if not self._asked:
            await self.tell("report")
            self._asked = news is self._news  # noted once it is sent: a cancelled question gets no answer
        await news.wait()

    async def listen(self) -> None:
        """Take in what it says until it has ended."""
        while (message := await self._lifeline.receive()) is not None:
            said: Report | Complaint = msgspec.msgpack.decode(message, type=Report | Complaint)
            match said:
                case Report(ready, packed):
                    self.pieces = await _unpack(packed)
                    self._ready = ready
                case Complaint(text):
                    self.complaint = text
            self._announce()
        self._ready = False
        self._silent.set()
        self._announce()

    async def end(self, grace: float) -> None:
        """Have it drain and wait for its end; past `grace` and what comes after, kill it."""
        await self.tell("drain")
        await self._wait_or_kill(grace + AFTER_GRACE)

    async def wait(self) -> None:
        """Return when it has ended and its last words have been heard."""
        await self._process.wait()
        with trio.move_on_after(_LAST_WORDS_WITHIN):
            await self._silent.wait()

    async def stop(self) -> None:
        """Have it stop at once and wait for its end; if that takes too long, kill it."""
        with trio.move_on_after(1.0):
            await self.tell("stop")
        await self._wait_or_kill(AFTER_GRACE)

    async def _wait_or_kill(self, patience: float) -> None:
        with trio.move_on_after(patience):
            await self._process.wait()
            return
        self._process.kill()
        await self._process.wait()

    def _announce(self) -> None:
        self._asked = False
        self._news.set()
        self._news = trio.Event()


@asynccontextmanager
async def worker_process(birth: Birth) -> AsyncGenerator[WorkerProcess]:
    """A fresh interpreter that works as `birth` says; stopped at the block's end if it still runs."""
    ours, theirs = socket.socketpair()
    lifeline = Lifeline(ours)
    try:
        with theirs:
            command = [sys.executable, "-P", "-m", "penstock.deploy.child"]
            process = await trio.lowlevel.open_process(
                ["/bin/sh", "-c", _LAUNCH, "penstock", *command], stdin=theirs.fileno()
            )
        child = WorkerProcess(process, lifeline)
        try:
            await lifeline.send(birth)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child.listen)
                yield child
                nursery.cancel_scope.cancel()
        finally:
            # Shielded: left alone it would drain, but nobody would wait for it. Bounded by SIGKILL.
            with trio.CancelScope(shield=True):
                await child.stop()
    finally:
        lifeline.close()


async def _unpack(packed: list[msgspec.Raw]) -> _Pieces:
    """Decode piece by piece: a child may have as many series as it likes, and signals do not wait."""
    decoder = msgspec.msgpack.Decoder(Piece)
    pieces: _Pieces = []
    for one in packed:
        pieces.append(decoder.decode(one))
        await trio.lowlevel.checkpoint()
    return pieces


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
