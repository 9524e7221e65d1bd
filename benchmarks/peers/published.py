"""The three cases that streaQ publishes: submit 20,000 tasks, run them as no-ops, run them as sleeps.

With one worker process of 32 at once. 20,000 sleeps of a second would take ten minutes and more; here the
worker gets 500, as each of the 40 workers of the published case has: 16 seconds if nothing else costs time.
"""

from contextlib import AsyncExitStack

import trio

from benchmarks.frame.bench import Bench
from benchmarks.frame.player import Figures
from benchmarks.frame.race import Racer, racers
from benchmarks.peers.peer import PUBLISHED
from benchmarks.peers.run import AT_ONCE, PENSTOCK, contestants, ours
from benchmarks.sink import sink

TASKS, FEW_TASKS = 20_000, 300
SLEEPS, FEW_SLEEPS = 500, 64
IDEAL = 1.0 / AT_ONCE
"""Seconds that a sleep of one second takes at best, in the long run."""


async def run(bench: Bench) -> None:
    """No-ops one system after another, the sleeps of all at the same time: they leave the machine alone."""
    tasks, sleeps = (FEW_TASKS, FEW_SLEEPS) if bench.quick else (TASKS, SLEEPS)
    with sink() as endpoint:
        field = {PENSTOCK: ours(endpoint)[PENSTOCK]} | await contestants(bench, PUBLISHED)
        async with AsyncExitStack() as stack:
            started = await stack.enter_async_context(racers(field, fsync="none", port=True))
            with bench.steps(len(started) + 1) as steps:
                for name, racer in started.items():
                    await racer.take()
                    racer.jobs = tasks
                    figures = await racer.take()
                    bench.add(f"submit {tasks:,}", "s", [figures["submitted all"]], name)
                    bench.add(f"{tasks:,} no-ops", "s", [figures["drained all"]], name)
                    steps.done(name)
                await _sleep(bench, started, sleeps)
                steps.done("sleeps")
    bench.notes.append(f"{sleeps} sleeps of 1 s, {AT_ONCE} at once, take {sleeps * IDEAL:.1f} s at best")


async def _sleep(bench: Bench, field: dict[str, Racer], sleeps: int) -> None:
    found: dict[str, Figures] = {}

    async def one(name: str, racer: Racer) -> None:
        found[name] = await racer.player.take(jobs=sleeps, sleep=1.0, **racer.order)

    async with trio.open_nursery() as nursery:
        for name, racer in field.items():
            nursery.start_soon(one, name, racer)
    for name in field:
        bench.add(f"{sleeps} sleeps of 1 s", "s", [found[name]["drained all"]], name)
