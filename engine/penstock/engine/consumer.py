"""A consumer: takes jobs from the buffer, runs them, hands their outcomes to the settler.

One task runs many jobs, and what a handler sets in its context (a `ContextVar`, `bind_contextvars`, a span
made current) is that job's alone: the task gets a fresh copy of the context it began with.
"""

from contextvars import copy_context

import trio

from penstock.engine.runner import Runner
from penstock.engine.shift import Shift

BREATH = 16
"""Jobs a consumer runs without waiting before it lets the other tasks have the loop."""


async def consume(shift: Shift, runner: Runner) -> None:
    """Run jobs until the buffer is closed and empty."""
    buffer, ran, clean = shift.buffer, 0, copy_context()
    while True:
        try:
            held = buffer.take_nowait()  # no checkpoint while there is work
        except trio.WouldBlock:
            ran = 0
            try:
                held = await buffer.take()
            except trio.EndOfChannel:
                return
        except trio.EndOfChannel:
            return
        shift.started()
        try:
            shift.settle(held, await runner.run(held, shift.worker))
        except Exception:  # a defect around the handler, not in it: the job is innocent
            shift.settlers[held.queue].give_back(held, "crash")
            raise
        finally:
            shift.ended()
        ran += 1
        soiled = copy_context() != clean
        if soiled:
            # Trio runs each step of a task in its `context`: from the next step, the checkpoint, on.
            trio.lowlevel.current_task().context = clean.copy()
        if soiled or ran % BREATH == 0 or shift.wants_attention:
            await trio.lowlevel.checkpoint()
