"""Both stores behind one harness with a clock that tests move, and one queue to play with."""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import msgspec
import trio

from penstock.engine.failure_counts import Failure, failure_of
from penstock.engine.job import JobError, JobState
from penstock.engine.memory_store import MemoryStore
from penstock.engine.record import Body, Ending, Header, encode_body, encode_ending
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import Claim, Claimed, NewJob, Reaping, Settlement, Store, Submitted, Verdict, Wake
from penstock.engine.transport import Redis

T = TypeVar("T")

START = 1_700_000_000_000
"""Where the clock stands at the beginning: milliseconds since the epoch."""
LEASE = 15_000
KEEP = 60_000
MAX_CRASHES = 3
BURIAL = encode_ending(Ending("reaper", 0, 0))


class StoreHarness(Protocol):
    """A store, its clock, and a look behind it."""

    store: Store
    now: int

    async def advance(self, milliseconds: int) -> None:
        """Let time pass for the store."""
        ...

    async def leftovers(self, queue: str) -> set[str]:
        """What a queue still occupies, without what is documented to stay or goes by itself."""
        ...


class MemoryHarness:
    """The executable specification."""

    STAYS = ("name", "mail", "failures", "_last_token", "reaped", "patient_until", "patient_since")

    def __init__(self) -> None:
        self.now = START
        self._memory = MemoryStore(clock=lambda: self.now)
        self.store: Store = self._memory

    async def advance(self, milliseconds: int) -> None:
        self.now += milliseconds

    async def leftovers(self, queue: str) -> set[str]:
        await self.store.facts(queue)  # a step on today's clock collects what has expired
        state = self._memory._queue(queue)
        places: dict[str, Any] = vars(state)
        return {name for name in places if name not in self.STAYS and len(places[name])}


class RedisHarness:
    """The real thing, on a clock that is a key: scripts read it instead of the time."""

    STAYS = ("counts", "events", "dead", "failures")
    """Counters that must never start again, the stream of endings, dead letters, counts of failures."""

    def __init__(self, redis: Redis) -> None:
        self.now = START
        self._redis = redis
        self.store: Store = RedisStore(redis, test_clock=True)

    async def advance(self, milliseconds: int) -> None:
        self.now += milliseconds
        await self._redis.execute("SET", "penstock:clock", self.now)

    async def leftovers(self, queue: str) -> set[str]:
        root = f"penstock:{{{queue}}}:"
        found: Any = await self._redis.execute("KEYS", root.replace("{", "[{]") + "*")
        left: set[str] = set()
        for key in found:
            name = key.decode().removeprefix(root)
            lives: Any = await self._redis.execute("PTTL", key)
            if name not in self.STAYS and lives < 0:
                left.add(name)
        return left


@asynccontextmanager
async def memory_harness() -> AsyncGenerator[StoreHarness]:
    """A store in memory."""
    yield MemoryHarness()


@asynccontextmanager
async def redis_harness(url: str) -> AsyncGenerator[StoreHarness]:
    """A store on an emptied server."""
    async with Redis(url) as redis:
        await redis.execute("FLUSHALL")
        harness = RedisHarness(redis)
        await harness.advance(0)
        yield harness


# --- what tests store and settle with -----------------------------------------------------


def new_job(suffix: str, **fields: Any) -> NewJob:
    """A job that can be stored and read back; `fields` are `NewJob`'s."""
    body = encode_body(Body(job="tests.job", args=msgspec.Raw(msgspec.msgpack.encode({"n": suffix}))))
    return NewJob(suffix, fields.pop("body", body), **fields)


def ending(result: object = None) -> bytes:
    """What an attempt leaves behind."""
    return encode_ending(Ending("w", START, START, msgspec.Raw(msgspec.msgpack.encode(result))))


def failure(fingerprint: str = "0123456789abcdef", message: str = "no") -> Failure:
    """A failure to be counted; its message is part of what is shown of the last one."""
    kept = failure_of("tests.job", JobError("ValueError", message, fingerprint=fingerprint))
    assert kept is not None
    return kept


def settlement(claimed: Claimed, state: JobState = JobState.SUCCEEDED, **fields: Any) -> Settlement:
    """How the attempt at a claimed job ended: one attempt, kept a minute or due in a minute."""
    given: dict[str, Any] = {"attempt": 1, "delay": KEEP, "ending": ending()} | fields
    return Settlement(suffix=claimed.suffix, token=claimed.token, state=state, **given)


# --- one queue, and the workers on it -------------------------------------------------------


class Hand:
    """A worker with a lease on the queue under test; numbers its claims itself."""

    def __init__(self, queue: "QueueUnderTest", name: str) -> None:
        self.queue = queue
        self.store = queue.store
        self.name = name
        self.number = 0

    async def claim(
        self, count: int = 100, *, suspect: bool = True, idle: bool = False, handed: bool = False
    ) -> Claim | None:
        """Claim under a new number."""
        self.number += 1
        return await self.again(count, suspect=suspect, idle=idle, handed=handed)

    async def again(
        self, count: int = 100, *, suspect: bool = True, idle: bool = False, handed: bool = False
    ) -> Claim | None:
        """Send the last claim once more."""
        return await self.store.claim(
            self.queue.name, self.name, self.number, count, suspect=suspect, idle=idle, handed=handed
        )

    async def take(self, count: int = 100, *, suspect: bool = True) -> list[Claimed]:
        """The jobs of a new claim that must be answered."""
        claim = await self.claim(count, suspect=suspect)
        assert claim is not None
        return claim.jobs

    async def take_one(self) -> Claimed:
        """The one next job."""
        (claimed,) = await self.take(1)
        return claimed

    async def names(self, count: int = 100, *, suspect: bool = True) -> list[str]:
        """The suffixes of what a new claim takes, in order."""
        return [claimed.suffix for claimed in await self.take(count, suspect=suspect)]

    async def settle(self, *settlements: Settlement) -> list[Verdict]:
        """End attempts."""
        return await self.store.settle(self.queue.name, self.name, settlements)

    async def end(self, claimed: Claimed, state: JobState = JobState.SUCCEEDED, **fields: Any) -> Verdict:
        """End one attempt."""
        (verdict,) = await self.settle(settlement(claimed, state, **fields))
        return verdict

    async def release(self, *claimed: Claimed) -> list[str]:
        """Give jobs back."""
        pairs = [(one.suffix, one.token) for one in claimed]
        return (await self.store.release(self.queue.name, self.name, pairs)).suffixes

    async def beat(self) -> dict[int, tuple[str, int]] | None:
        """What the heartbeat says is held; None without a lease."""
        heartbeat = await self.store.heartbeat(self.queue.name, self.name, LEASE)
        return None if heartbeat is None else heartbeat.held

    async def cancels(self) -> list[str]:
        """What the heartbeat asks to cancel."""
        heartbeat = await self.store.heartbeat(self.queue.name, self.name, LEASE)
        assert heartbeat is not None
        return heartbeat.cancels

    async def leave(self) -> list[str]:
        """End the lease."""
        return (await self.store.leave(self.queue.name, self.name)).suffixes

    @asynccontextmanager
    async def idle(self, *, handed: bool = False) -> AsyncGenerator[AsyncIterator[Wake]]:
        """Listening, and registered to be woken, with a job in hand or without."""
        async with self.store.listen(self.name, [self.queue.name]) as wakes:
            claim = await self.claim(idle=True, handed=handed)
            assert claim is not None
            assert claim.jobs == []
            yield wakes


class QueueUnderTest:
    """A fresh queue in the store at hand."""

    def __init__(self, harness: StoreHarness, name: str | None = None) -> None:
        self.harness = harness
        self.store = harness.store
        self.name = name or f"q-{uuid.uuid4().hex[:12]}"
        self._workers = 0

    @property
    def now(self) -> int:
        return self.harness.now

    async def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        await self.harness.advance(milliseconds)

    async def submit(self, *suffixes: str, **fields: Any) -> list[Submitted]:
        """Store jobs of these names that are alike."""
        return await self.store.submit(self.name, [new_job(suffix, **fields) for suffix in suffixes])

    async def worker(self) -> Hand:
        """A worker that has joined."""
        self._workers += 1
        hand = Hand(self, f"w{self._workers}")
        await self.store.join(self.name, hand.name, LEASE)
        return hand

    async def header(self, suffix: str) -> Header:
        """The stored header of a job that exists."""
        record = await self.store.read(self.name, suffix)
        assert record is not None
        return record.header

    async def state(self, suffix: str) -> JobState:
        """The state a reader sees."""
        job = await self.store.look(self.name, suffix)
        assert job is not None
        return job.state

    async def promote(self, limit: int = 500) -> int:
        """How many jobs became ready."""
        return (await self.store.promote(self.name, limit)).moved

    async def reap(self, limit: int = 500, patience: int = 0) -> Reaping:
        """One slice of reaping."""
        return await self.store.reap(
            self.name, max_crashes=MAX_CRASHES, ending=BURIAL, keep=KEEP, limit=limit, patience=patience
        )

    async def crash(self, *victims: Hand) -> Reaping:
        """Let the leases run out of all who do not beat now, `victims` among them, and reap."""
        await self.advance(LEASE)
        reaping = await self.reap()
        assert {victim.name for victim in victims} <= set(reaping.revoked)
        return reaping

    async def suspects(self, *suffixes: str) -> None:
        """Store jobs that have each crashed a worker, in this order."""
        for suffix in suffixes:
            await self.submit(suffix, priority=9)
            victim = await self.worker()
            assert await victim.names(1, suspect=False) == [suffix]
            await self.crash(victim)


def suffixes(jobs: Sequence[Claimed]) -> list[str]:
    """The names of claimed jobs."""
    return [claimed.suffix for claimed in jobs]


async def heard(messages: AsyncIterator[T]) -> T:
    """The next message, which must come; the bound is for a broken store, not for a slow one."""
    with trio.fail_after(10):
        return await anext(messages)
