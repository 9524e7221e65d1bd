"""A consumer: takes jobs from the buffer, runs them, hands their outcomes to the settler.

One task runs many jobs, and what a handler sets in its context (a `ContextVar`, `bind_contextvars`, a span
made current) is that job's alone: the task gets a fresh copy of the context it began with.
"""

from contextvars import Context, copy_context

import trio

from penstock.engine.handler_scope import HandlerScope
from penstock.engine.held import Held
from penstock.engine.runner import Runner
from penstock.engine.shift import Shift

BREATH = 16
"""Jobs a consumer runs without waiting before it lets the other tasks have the loop."""


async def consume(shift: Shift, runner: Runner) -> None:
    """Run jobs until the buffer is closed and empty."""
    buffer, clean = shift.buffer, copy_context()
    while True:
        try:
            held = await buffer.take()
        except trio.EndOfChannel:
            return
        soiled = await _run_some(held, shift, runner, clean)
        if soiled:
            # Trio runs each step of a task in its `context`: from the next step, the checkpoint, on.
            trio.lowlevel.current_task().context = clean.copy()
        if soiled or buffer:
            await trio.lowlevel.checkpoint()


async def _run_some(held: Held, shift: Shift, runner: Runner, clean: Context) -> bool:
    """Run a job and those behind it, without a wait in between; whether the last one soiled the context."""
    with HandlerScope() as handlers:
        ran = 0
        while True:
            await _run(held, shift, runner, handlers)
            ran += 1
            if copy_context() != clean:
                return True
            if ran == BREATH or shift.wants_attention:
                return False
            try:
                held = shift.buffer.take_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                return False


async def _run(held: Held, shift: Shift, runner: Runner, handlers: HandlerScope) -> None:
    shift.started()
    try:
        shift.settle(held, await runner.run(held, shift.worker, handlers))
    except Exception:  # a defect around the handler, not in it: the job is innocent
        shift.settlers[held.queue].give_back(held, "crash")
        raise
    finally:
        shift.ended()
