"""Everything that runs in a rolling update, and the update itself."""

import random
import time
from pathlib import Path

import msgspec
import trio

from benchmarks.chaos.server import Server
from benchmarks.rolling.applications import QUEUE
from benchmarks.rolling.balancer import Balancer
from benchmarks.rolling.process import Process, free_port
from benchmarks.rolling.submitters import Submitters, submit_newcomers
from penstock.engine import Client, Receipt
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

APIS, WORKERS = 2, 3
DRAIN_WITHIN = 60.0
"""Seconds that everything submitted may take to end once nobody submits any more."""
CALM = 3.0
"""Seconds before and after the update, at least, for comparison."""


class Plan(msgspec.Struct, frozen=True):
    """How one update goes."""

    seed: int
    rate: float
    """Submissions a second over HTTP."""
    linger: float
    """Seconds for which an API that was told to end takes requests on."""
    calm: float = CALM


class Replaced(msgspec.Struct, frozen=True):
    """A process of the older version has ended. Seconds since the epoch."""

    name: str
    told: float
    ended: float
    code: int | None


class Stage:
    """One update: `began` to `finished`, seconds since the epoch."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        rng = random.Random(plan.seed)
        self.plan = plan
        self.server = Server(folder / "data")
        self.balancer = Balancer(rng)
        self.submitters = Submitters(self.balancer, rng, plan.rate)
        self.newcomers: list[Receipt] = []
        self.processes: list[Process] = []
        self.replaced: list[Replaced] = []
        self.began = self.finished = 0.0
        self.complaints: list[str] = []
        self._folder = folder
        self._watches: dict[str, trio.CancelScope] = {}
        self._somebody_knows = trio.Event()  # the first new worker is ready

    async def play(self, nursery: trio.Nursery) -> None:
        """Start the older version, replace it under load, and let everything end; the server stays."""
        await nursery.start(self.server.run)
        outgoing = [await self._start_worker(nursery, "old", number) for number in range(WORKERS)]
        outgoing += [await self._start_api(nursery, "old", number) for number in range(APIS)]
        try:
            await self._under_load(nursery, outgoing)
        finally:
            self.balancer.close()
        await self._until_drained()
        for process in self.processes:
            if not process.ended.is_set():
                await process.terminate()

    async def _under_load(self, nursery: trio.Nursery, outgoing: list[Process]) -> None:
        ending, rolled = trio.Event(), trio.Event()
        async with (
            Redis(self.server.url) as redis,
            Client(RedisStore(redis)) as client,
            trio.open_nursery() as load,
        ):
            load.start_soon(self.submitters.run, ending)
            await trio.sleep(self.plan.calm)
            load.start_soon(self._newcomers, client, rolled)
            await self._roll(nursery, outgoing)
            rolled.set()
            await trio.sleep(self.plan.calm)
            ending.set()

    async def _roll(self, nursery: trio.Nursery, outgoing: list[Process]) -> None:
        """One after the other: the new one is ready before the old one is told to end."""
        self.began = time.time()
        for number, process in enumerate(outgoing):
            if process.name.startswith("worker"):
                await self._start_worker(nursery, "new", number)
                self._somebody_knows.set()
            else:
                await self._start_api(nursery, "new", number - WORKERS)
            told = time.time()
            await process.terminate()
            if process.name in self._watches:
                self._watches[process.name].cancel()
            self.replaced.append(Replaced(process.name, told, time.time(), process.code))
        self.finished = time.time()

    async def _start_worker(self, nursery: trio.Nursery, version: str, number: int) -> Process:
        port = free_port()
        options = ["--concurrency", "16", "--metrics-bind", f"127.0.0.1:{port}"]
        return await self._start(nursery, "worker", version, number, port, options)

    async def _start_api(self, nursery: trio.Nursery, version: str, number: int) -> Process:
        port = free_port()
        options = ["--bind", f"127.0.0.1:{port}", "--linger", str(self.plan.linger)]
        process = await self._start(nursery, "api", version, number, port, options)
        self._watches[process.name] = await nursery.start(self._watch, port)
        return process

    async def _watch(self, port: int, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        with trio.CancelScope() as scope:
            task_status.started(scope)
            await self.balancer.watch(port)

    async def _start(
        self, nursery: trio.Nursery, command: str, version: str, number: int, port: int, options: list[str]
    ) -> Process:
        application = f"benchmarks.rolling.applications:{version}"
        words = [command, application, "--redis", self.server.url, "--log-format", "json", *options]
        process = Process(f"{command}-{version}-{number + 1}", port, words, self._folder)
        self.processes.append(process)
        await nursery.start(process.run)
        return process

    async def _newcomers(self, client: Client, rolled: trio.Event) -> None:
        """From the first new worker on there is somebody who knows them."""
        await self._somebody_knows.wait()
        await submit_newcomers(client, rolled, self.newcomers)

    async def _until_drained(self) -> None:
        async with Redis(self.server.url) as redis:
            store = RedisStore(redis)
            with trio.move_on_after(DRAIN_WITHIN):
                while True:
                    facts = await store.facts(QUEUE)
                    if not (facts.ready or facts.scheduled or facts.running):
                        return
                    await trio.sleep(0.1)
        self.complaints.append(f"not everything had ended {DRAIN_WITHIN:.0f} s after the last submission")
