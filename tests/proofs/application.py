"""An application for processes under test: `proofs.application:poison`."""

import os
import signal
from contextlib import suppress

import trio

from penstock.engine import JobContext, Module

poison = Module("poison")


@poison.job
async def stand_by(ctx: JobContext, gate: str) -> None:
    """Report to the test's gate and wait there."""
    await _pass(gate)


@poison.job(retries=0)
async def kill(ctx: JobContext, gate: str) -> None:
    """Report to the test's gate, wait there, and take the whole process along."""
    await _pass(gate)
    os.kill(os.getpid(), signal.SIGKILL)


async def _pass(gate: str) -> None:
    with suppress(trio.BrokenResourceError):  # it has been taken down
        async with await trio.open_unix_socket(gate) as stream:
            await stream.send_all(b'["", ""]\n')
            await stream.receive_some(1)
