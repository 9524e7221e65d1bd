"""The listener: word from the store that there is work, or that a job is to be cancelled."""

from collections.abc import Callable

from penstock.engine.shift import Shift


async def listen(shift: Shift, ready: Callable[[], None]) -> None:
    """Listen until cancelled; `ready` is called when it is known whether wake-ups are heard.

    While they are not, `shift.hears` says so and the fetcher looks unasked.
    """
    try:
        async with shift.store.listen(shift.worker, shift.queues) as wakes:
            shift.hears = True
            ready()
            shift.kick()  # what was submitted before we listened
            async for wake in wakes:
                if wake.cancel is not None:
                    shift.cancel_job(wake.queue, wake.cancel)
                elif shift.draining or shift.full:
                    await shift.store.nudge(wake.queue)  # another has to take it
                else:
                    shift.kick()
    finally:
        shift.hears = False
        ready()
        shift.kick()
