"""Modules while a worker runs: started in the order in which they need each other, asked, stopped.

Each start and each stop is an `Operation`, and one that fails ends the worker with the name of its module.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from math import inf
from typing import Any

import trio

from penstock.engine.errors import ModuleFailed
from penstock.engine.fingerprint import unwrapped
from penstock.engine.module_hooks import HealthCheck, Lifespan, in_order
from penstock.engine.operation import Operation
from penstock.engine.resources import Resources
from penstock.engine.seams import Seams

START_WITHIN = 30.0
STOP_WITHIN = 10.0
"""Seconds that one module may take, which is less than the grace period of most orchestrators."""
ANSWER_WITHIN = 2.0
"""Seconds for all health checks together; who asks whether a worker is ready waits little longer."""


@asynccontextmanager
async def open_resources(
    lifespans: Iterable[Lifespan], given: Mapping[type[Any], object], seams: Seams
) -> AsyncGenerator[Resources]:
    """Start them in order, and stop them in the opposite one, whatever ends the block.

    Raises `ModuleFailed` for one that raises, or takes longer than `START_WITHIN` or `STOP_WITHIN`.
    """
    resources = Resources(given)
    async with AsyncExitStack() as stack:
        for lifespan in in_order(lifespans, given):
            arguments = resources.pick(lifespan.needs, lifespan.module)
            value = await stack.enter_async_context(_running(lifespan, arguments, seams))
            if lifespan.provides is not None:
                resources.add(lifespan.provides, value)
        yield resources


@asynccontextmanager
async def _running(lifespan: Lifespan, arguments: dict[str, Any], seams: Seams) -> AsyncGenerator[Any]:
    manager = asynccontextmanager(lifespan.function)(**arguments)
    error: BaseException | None = None
    stopping = False
    # Around both, with a deadline that moves: what a lifespan opens inside (a nursery) stays open in between,
    # and scopes have to be left in the order in which they were entered.
    with trio.CancelScope(deadline=trio.current_time() + START_WITHIN) as scope:
        with _failing(lifespan, "start"), seams.around_operation(_operation("start", lifespan)):
            value = await manager.__aenter__()
        scope.deadline = inf
        try:
            yield value
        except BaseException as raised:
            error = raised
        stopping, scope.deadline = True, trio.current_time() + STOP_WITHIN
        with _failing(lifespan, "stop", error), seams.around_operation(_operation("stop", lifespan)):
            await _leave(manager, error)
    if scope.cancelled_caught:
        what, seconds = ("stop", STOP_WITHIN) if stopping else ("start", START_WITHIN)
        raise ModuleFailed(f"module {lifespan.module} did not {what} within {seconds:.0f} s")
    if isinstance(error, Exception):
        raise error
    if error is not None:  # cancelled, and not from outside
        raise ModuleFailed(f"module {lifespan.module} has ended by itself")


async def _leave(manager: AbstractAsyncContextManager[Any], error: BaseException | None) -> None:
    """Stop a lifespan: an error of what ran inside is none of its business, a cancellation is, because it may
    be that of a nursery of its own."""
    if error is None or isinstance(error, Exception):
        await manager.__aexit__(None, None, None)
    elif not await manager.__aexit__(type(error), error, error.__traceback__):
        raise error


class _failing:
    """Turns what a lifespan raises into an error that names its module; `beside` is what ended the block."""

    def __init__(self, lifespan: Lifespan, what: str, beside: BaseException | None = None) -> None:
        self._lifespan = lifespan
        self._what = f"failed to {what}" if beside is None else "failed"
        self._beside = beside

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and error is not self._beside:
            said = unwrapped(error)  # a nursery wraps what its children raise
            raise ModuleFailed(
                f"module {self._lifespan.module} {self._what}: {type(said).__qualname__}: {said}"
            ) from error


def _operation(what: str, lifespan: Lifespan) -> Operation:
    return Operation(
        name=f"{what} {lifespan.module}", attributes={"messaging.penstock.module": lifespan.module}
    )


async def ailments(checks: Iterable[HealthCheck], resources: Resources) -> list[str]:
    """What is wrong, with the names of modules; all are asked at once, within `ANSWER_WITHIN` seconds."""
    asked = list(checks)
    found: list[str | None] = [f"{check.module}: no answer" for check in asked]

    async def ask(place: int, check: HealthCheck) -> None:
        try:
            said = await check.function(**resources.pick(check.needs, check.module))
        except Exception as error:  # somebody else's: that it raises is its answer
            said = f"{type(error).__qualname__}: {error}"
        found[place] = None if said is None else f"{check.module}: {said}"

    with trio.move_on_after(ANSWER_WITHIN):
        async with trio.open_nursery() as nursery:
            for place, check in enumerate(asked):
                nursery.start_soon(ask, place, check)
    return [said for said in found if said is not None]
