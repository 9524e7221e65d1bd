"""How a process ends: the first SIGTERM or SIGINT drains it, a second one stops it at once."""

import signal
from collections.abc import Callable

import trio

from penstock.engine.errors import PenstockError

AFTER_GRACE = 20.0
"""Seconds past its grace period in which a worker process has ended: the worker's last words to the store
(three times five seconds at most) and telemetry's (five)."""


class StoppedAtOnce(PenstockError):
    """A second signal came before everything was drained; exit code 1 says so."""


async def drain_on_signal(
    drain: Callable[[], None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Call `drain` at the first signal and raise `StoppedAtOnce` at the second.

    A task of the nursery that runs the process: raising there cancels everything else in it. Started
    when signals are heard; cancel it once the process has drained.
    """
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        await anext(signals)
        drain()
        number = await anext(signals)
        raise StoppedAtOnce(f"stopped at once by a second signal ({signal.Signals(number).name})")
