"""What jobs cost a worker: real worker processes on a backlog that does not end."""

import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import msgspec
import trio

from benchmarks.planning import costs
from benchmarks.planning.measuring.work import QUEUE, noop
from benchmarks.planning.measuring.worker_child import WARM_UP, Order, Turn
from benchmarks.sink import sink
from penstock.engine import Client
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

CONCURRENCIES = (1, 4, 16, 64)
"""Small ones make for many round trips a job, large ones for few."""
FASTEST = 30_000.0
"""Jobs a second that one worker surely does not reach: so long must the backlog be."""
_SLICE = 500


class Child:
    """A worker process that takes turns."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._tell, self._answers = process.stdin, process.stdout

    async def take_turn(self, order: Order) -> Turn:
        """Have it work; raises `RuntimeError` where it has ended."""
        await self._tell.send_all(msgspec.json.encode(order) + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            some = await self._answers.receive_some()
            if not some:
                raise RuntimeError("a measured worker has ended")
            answer += some
        return msgspec.json.decode(answer, type=Turn)


@asynccontextmanager
async def children(url: str, number: int, *arguments: str) -> AsyncGenerator[list[Child]]:
    """So many worker processes; gone at the end of the block."""
    command = [sys.executable, "-m", "benchmarks.planning.measuring.worker_child", url, *arguments]
    pipe = subprocess.PIPE
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        async with AsyncExitStack():
            yield [Child(await nursery.start(start)) for _ in range(number)]
        nursery.cancel_scope.cancel()


async def take_turns(crew: Sequence[Child], order: Order) -> list[Turn]:
    """All of them at once."""
    turns = list[Turn]()

    async def one(child: Child) -> None:
        turns.append(await child.take_turn(order))

    async with trio.open_nursery() as nursery:
        for child in crew:
            nursery.start_soon(one, child)
    return turns


async def fill(redis: Redis, workers: int, order: Order) -> None:
    """See to a backlog that so many workers do not get to the end of."""
    store = RedisStore(redis)
    client, wanted = Client(store, max_waiting=0), workers * FASTEST * (order.seconds + WARM_UP)
    requests = [noop.request(number) for number in range(_SLICE)]
    for _ in range(int(max(0, wanted - (await store.facts(QUEUE)).ready) // _SLICE) + 1):
        await client.submit_many(requests)


async def measure(redis: Redis, url: str, seconds: float) -> dict[str, costs.Step]:
    """Of a worker that nobody watches and of one with all telemetry on, its export included."""
    with sink() as endpoint:
        return {
            costs.OFF: await _measure(redis, url, seconds),
            costs.ON: await _measure(redis, url, seconds, endpoint),
        }


async def _measure(redis: Redis, url: str, seconds: float, *arguments: str) -> costs.Step:
    turns = list[Turn]()
    async with children(url, 1, *arguments) as crew:
        for concurrency in CONCURRENCIES:
            order = Order(seconds, concurrency)
            await fill(redis, 1, order)
            turns += await take_turns(crew, order)
    # A job is the unit here: so many round trips come to one job.
    trips = [turn.round_trips / turn.jobs for turn in turns]
    fitted = costs.step_of(trips, [turn.cpu / turn.jobs for turn in turns])
    return costs.Step(call=fitted.job, job=fitted.call)
