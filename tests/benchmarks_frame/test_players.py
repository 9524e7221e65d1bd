"""Processes that are measured: told to make turns, named when they fail."""

import sys

import pytest
import trio

from benchmarks.frame.bench import Bench
from benchmarks.frame.player import PlayerFailed, player
from benchmarks.frame.race import Contestant, race, racers

PYTHON = (sys.executable, "-u", "-c")
ECHO = """
import json, sys
for line in sys.stdin:
    order = json.loads(line)
    print("noise of some library")
    jobs = order["jobs"]
    print(json.dumps({"seconds": jobs / 1000, "jobs": jobs, "extra": order.get("extra", 0)}))
"""
DIES = "import sys; sys.stdin.readline(); sys.exit('out of luck')"


async def test_a_turn_is_told_and_answered() -> None:
    """The line that is an object is the answer, whatever is printed before, at once or in pieces."""
    with trio.fail_after(30):
        async with player([*PYTHON, ECHO]) as one:
            assert await one.take(jobs=5) == {"seconds": 0.005, "jobs": 5, "extra": 0}


async def test_a_process_that_ends_is_told_with_its_last_words() -> None:
    """Nobody waits for it."""
    with trio.fail_after(30):
        async with player([*PYTHON, DIES]) as one:
            with pytest.raises(PlayerFailed, match="has ended"):
                await one.take(jobs=5)


async def test_a_race_sizes_turns_by_warm_up_and_counts_the_rest() -> None:
    """At 1,000 jobs a second, half a second is 500 jobs; warm-up turns are not among the figures."""
    bench = Bench("race", rounds=3)
    field = {name: Contestant(command=(*PYTHON, ECHO), order={"extra": n}) for n, name in enumerate("ab")}
    with trio.fail_after(120):
        async with racers(field) as started:
            await race(bench, started, {"jobs": "jobs", "extra": "", "unheard": ""})
    result = bench.result()
    for extra, name in enumerate("ab"):
        jobs, more = result.find("jobs", name), result.find("extra", name)
        assert jobs is not None
        assert more is not None
        assert jobs.values == [500.0] * 3
        assert more.values == [extra] * 3
    assert result.find("unheard") is None


async def test_a_race_does_not_take_more_jobs_than_allowed() -> None:
    """Memory and patience are bounded."""
    bench = Bench("race", rounds=1)
    with trio.fail_after(120):
        async with racers({"a": Contestant(command=(*PYTHON, ECHO))}) as started:
            await race(bench, started, {"jobs": "jobs"}, most=60)
    found = bench.result().find("jobs")
    assert found is not None
    assert found.values == [60.0]
