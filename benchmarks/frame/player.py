"""A process that is measured: told to make a turn, it answers with figures."""

import json
import subprocess
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import trio

from benchmarks.frame.machine import ROOT

Figures = dict[str, float]
LAST_WORDS = 40
"""Pieces of standard error that are kept, to be told when the process fails."""
TURN_WITHIN = 300.0
"""Seconds that a turn may take, so that a process which hangs is named and not waited for."""


class PlayerFailed(Exception):
    """A measured process has ended or is silent; the message holds its last words."""


class Player:
    """One process; takes one turn at a time."""

    def __init__(self, process: trio.Process, words: deque[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.pid = process.pid
        self._tell, self._answers, self._words = process.stdin, process.stdout, words
        self._read = b""  # of the next line

    async def take(self, **order: Any) -> Figures:
        """Have it make a turn; raises `PlayerFailed`."""
        try:
            with trio.fail_after(TURN_WITHIN):
                await self._tell.send_all(json.dumps(order).encode() + b"\n")
                line = await self._line()
                while not line.startswith(b"{"):  # something that it imports has printed it
                    line = await self._line()
        except (trio.TooSlowError, trio.BrokenResourceError) as error:
            raise PlayerFailed(self._last_words(repr(error))) from error
        return msgspec.json.decode(line, type=Figures)

    async def _line(self) -> bytes:
        while b"\n" not in self._read:
            some = await self._answers.receive_some()
            if not some:
                raise PlayerFailed(self._last_words("it has ended"))
            self._read += some
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _last_words(self, reason: str) -> str:
        return f"{reason}; its last words:\n{b''.join(self._words).decode(errors='replace')[-2000:]}"


@asynccontextmanager
async def player(command: Sequence[str], env: Mapping[str, str] | None = None) -> AsyncGenerator[Player]:
    """Run a process from the checkout's root for the length of the block; at its end it is killed."""
    words: deque[bytes] = deque(maxlen=LAST_WORDS)
    async with trio.open_nursery() as nursery:
        pipe = subprocess.PIPE
        process: trio.Process = await nursery.start(
            partial(
                trio.run_process,
                command,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                check=False,
                cwd=ROOT,
                env=env,
            )
        )
        # Lines go into a pipe that somebody reads, as under a container runtime.
        assert process.stderr is not None
        nursery.start_soon(_listen, process.stderr, words)
        try:
            yield Player(process, words)
        finally:
            process.kill()
        nursery.cancel_scope.cancel()


async def _listen(lines: trio.abc.ReceiveStream, words: deque[bytes]) -> None:
    async for some in lines:
        words.append(bytes(some))
