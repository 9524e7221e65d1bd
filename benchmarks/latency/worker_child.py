"""The worker whose jobs are timed: `… REDIS`. It works all the time; a turn asks what it has seen so far.

A job says when it should have been submitted, and when it was, on the clock that all processes of a machine
share; one that says a time below zero is not timed: it only makes work.
"""

import sys
import time
from collections.abc import Sequence
from typing import Any

import trio

from benchmarks.frame.child import Order, take_turns
from benchmarks.latency.percentiles import QUANTILES, quantile
from penstock.engine import JobContext, Module, Registry, Worker
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import Settlement, Verdict
from penstock.engine.transport import Redis

timing = Module("timing")
_intended: dict[str, float] = {}  # by id without queue: when it should have been submitted
_called: list[float] = []
_started: list[float] = []
_settled: list[float] = []


@timing.job
async def tick(ctx: JobContext, intended: float, called: float) -> None:
    """Note how late it is."""
    if intended > 0:
        now = time.monotonic()
        _called.append(now - called)
        _started.append(now - intended)
        _intended[ctx.id.rpartition(".")[2]] = intended


class Timed(RedisStore):
    """Notes when the server has acknowledged the end of each job."""

    async def settle(self, queue: str, worker: str, settlements: Sequence[Settlement]) -> list[Verdict]:
        verdicts = await super().settle(queue, worker, settlements)
        now = time.monotonic()
        timed = (_intended.pop(one.suffix, None) for one in settlements)
        _settled.extend(now - intended for intended in timed if intended is not None)
        return verdicts


async def main(url: str) -> None:
    """Work, and tell, until nobody asks any more."""
    async with Redis(url) as redis, trio.open_nursery() as nursery:
        store: Any = Timed(redis)
        await nursery.start(Worker(store, Registry([timing])).run)
        await take_turns(_tell)
        nursery.cancel_scope.cancel()


async def _tell(order: Order) -> dict[str, float]:
    """What was seen since the last turn, once all of it has ended; milliseconds by quantile."""
    expected = int(order["expected"])
    with trio.move_on_after(float(order["within"])):
        while len(_settled) < expected:  # noqa: ASYNC110 -- an event would have to be set by what is timed
            await trio.sleep(0.02)
    found = {"count": float(len(_settled))}
    for name, seen in (("call", _called), ("start", _started), ("settled", _settled)):
        seen.sort()
        found |= {f"{name} {of:g}": quantile(seen, of) * 1000 for of in QUANTILES if seen}
        seen.clear()
    _intended.clear()
    return found


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
