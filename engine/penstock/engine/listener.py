"""The listener: word from the store that there is work, or that a job is to be cancelled."""

from collections.abc import Callable, Mapping

import trio

from penstock.engine.shift import Shift
from penstock.engine.store import Handed


async def listen(
    shift: Shift, receivers: Mapping[str, Callable[[Handed], None]], ready: Callable[[], None]
) -> None:
    """Listen until cancelled; `ready` is called when it is known whether wake-ups are heard.

    While they are not, `shift.hears` says so and the fetcher looks unasked. A job that comes with one goes to
    the receiver of its queue.
    """
    try:
        async with shift.store.listen(shift.worker, shift.queues) as wakes:
            shift.hears = True
            ready()
            shift.kick()  # what was submitted before we listened
            async for wake in wakes:
                if wake.cancel is not None:
                    shift.cancel_job(wake.queue, wake.cancel)
                elif wake.handed is not None:
                    receivers[wake.queue](wake.handed)
                    await trio.lowlevel.checkpoint()  # first it starts; then the fetcher leaves word anew
                    shift.kick()
                elif shift.draining or shift.full:
                    await shift.store.nudge(wake.queue)  # another has to take it
                else:
                    shift.kick()
    finally:
        shift.hears = False
        ready()
        shift.kick()
