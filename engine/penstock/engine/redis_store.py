"""The store on Redis or Valkey: each method sends one script and reads its reply.

What the scripts do stands in scripts/*.lua, what the methods promise in store.py.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Any

import anyio

from penstock.engine import keys, scripts
from penstock.engine.durable import DurableLine
from penstock.engine.errors import LeaseLost, StoreFull, StoreUnavailable
from penstock.engine.failure_counts import Failure, FailureCount, failure_count, newest_first
from penstock.engine.intake import Intake
from penstock.engine.job import Job, JobState
from penstock.engine.limits import RESULT_TTL
from penstock.engine.memory_watch import MemoryWatch
from penstock.engine.record import Record, describe, parse_record
from penstock.engine.redis_outbox import RedisOutbox
from penstock.engine.redis_schedules import RedisSchedules
from penstock.engine.store import (
    PLAIN,
    SLICE,
    Cancellation,
    Claim,
    Claimed,
    Ended,
    Handed,
    Heartbeat,
    NewJob,
    Promotion,
    QueueFacts,
    Reaping,
    Released,
    Settlement,
    Submitted,
    Terms,
    Verdict,
    Wake,
)
from penstock.engine.transport import Inbox, Link

LIST_WITHIN = 1.0
"""Seconds that listing a queue may take; operators look at the list, no rule does."""
LIST_AGAIN = 5.0
"""Seconds until it is tried again."""
_VERDICTS: tuple[Verdict, Verdict] = ("refused", "settled")
TAIL_BLOCK = 5000  # milliseconds an XREAD waits; bounds how long a half-open connection goes unnoticed


class RedisStore:
    """Jobs in Redis, one server or many; implements `penstock.engine.store.Store`.

    `redis` stays the caller's to close. Listening and tailing open connections of their own.
    """

    def __init__(self, redis: Link, *, test_clock: bool = False) -> None:
        self.redis = redis
        self._scripts = scripts.load(scripts.TEST_CLOCK if test_clock else scripts.SERVER_CLOCK)
        self.outbox = RedisOutbox(redis, self._scripts, self._remember)
        self._known: set[str] = set()  # queues that this process has put on the list
        self._connects = 0
        self._list_again = 0.0
        self._durable: dict[str, DurableLine] = {}
        self._watch = watch = MemoryWatch(partial(self._call, "memory"))
        self._intake = Intake(self._submit, watch)
        self.schedules = RedisSchedules(redis, self._scripts, watch, self._remember)

    async def _call(self, script: str, queue: str, *args: Any) -> Any:
        # Any: the shape of each reply is written above its script, and read where it is asked for.
        return await self.redis.script(self._scripts[script], (keys.root(queue),), args)

    async def _execute(self, *command: Any) -> Any:
        return await self.redis.execute(*command)

    # --- for submitters -----------------------------------------------------------------

    async def submit(self, queue: str, jobs: Sequence[NewJob], terms: Terms = PLAIN) -> list[Submitted]:
        await self._remember(queue)
        return await self._intake.submit(queue, jobs, terms)

    async def _submit(self, script: str, queue: str, args: Sequence[Any], terms: Terms) -> Any:
        if not (terms.disk or terms.replicas):
            return await self._call(script, queue, *args)
        if queue not in self._durable:
            self._durable[queue] = DurableLine(self.redis, queue)
        return await self._durable[queue].send(self._scripts[script], args, terms)

    async def _remember(self, queue: str) -> None:
        """Put the queue on the list, which may live on another server: no submission waits long for it."""
        if self._connects != self.redis.connects:  # perhaps to a server that lost the list
            self._known.clear()
            self._connects = self.redis.connects
        if queue in self._known or anyio.current_time() < self._list_again:
            return
        with suppress(StoreUnavailable), anyio.move_on_after(LIST_WITHIN):
            await self.redis.execute("SADD", keys.QUEUES, queue, retry_for=0)
            self._known.add(queue)
            self._connects = self.redis.connects  # the first command of all has opened it
            return
        self._list_again = anyio.current_time() + LIST_AGAIN

    async def look(self, queue: str, suffix: str) -> Job | None:
        reply = await self._call("look", queue, suffix)
        if reply is None:
            return None
        raw, worker, since = reply
        return describe(
            queue, suffix, parse_record(raw), worker=worker.decode() or None, started=since or None
        )

    async def read(self, queue: str, suffix: str) -> Record | None:
        raw = await self._execute("GET", keys.job(queue, suffix))
        return None if raw is None else parse_record(raw)

    async def cancel(self, queue: str, suffix: str) -> Cancellation | None:
        reply = await self._call("cancel", queue, suffix, int(RESULT_TTL * 1000))
        return None if reply is None else Cancellation(JobState(reply[0].decode()), reply[1] == 1)

    @asynccontextmanager
    async def endings(self, queue: str) -> AsyncGenerator[AsyncIterator[Ended]]:
        stream = keys.events(queue)
        async with self.redis.reserve(stream) as connection:
            newest: Any = await connection.execute("XREVRANGE", stream, "+", "-", "COUNT", 1)
            last = newest[0][0] if newest else b"0-0"
            async with aclosing(self._tail(connection.execute, stream, last)) as endings:
                yield endings

    async def _tail(self, execute: Any, stream: str, last: bytes) -> AsyncGenerator[Ended]:
        while True:
            reply = await execute(
                "XREAD", "COUNT", 100, "BLOCK", TAIL_BLOCK, "STREAMS", stream, last, timeout=TAIL_BLOCK / 500
            )
            for entry, fields in reply[0][1] if reply else ():
                last = entry
                for suffix, ending in zip(fields[::2], fields[1::2], strict=True):
                    yield Ended(suffix.decode(), JobState(ending.split(b" ", 1)[0].decode()))

    # --- for workers --------------------------------------------------------------------

    async def join(self, queue: str, worker: str, lease: int, slots: int = 0) -> None:
        with suppress(StoreFull):  # a full server needs workers; the next join or submission lists the queue
            await self._remember(queue)
        if await self._call("join", queue, worker, lease, slots) == 0:
            raise LeaseLost(f"the lease of {worker} on queue {queue} has ended; join under a new id")

    async def heartbeat(self, queue: str, worker: str, lease: int) -> Heartbeat | None:
        reply = await self._call("heartbeat", queue, worker, lease)
        if reply is None:
            return None
        now, count, cancels = reply
        # By itself: made by a script, a list of 10,000 jobs holds the others up four times as long.
        # What changes in between is judged by the next beat.
        flat: Any = await self._execute("HGETALL", keys.running(queue, worker)) if count else []
        held: dict[int, tuple[str, int]] = {}
        for suffix, hold in zip(flat[::2], flat[1::2], strict=True):
            token, claim = hold.split(b" ")[:2]
            held[int(token)] = suffix.decode(), int(claim)
        asked, in_order = set(_texts(cancels)), dict(sorted(held.items()))
        return Heartbeat(now, in_order, [suffix for suffix, _ in in_order.values() if suffix in asked])

    async def leave(self, queue: str, worker: str) -> Released:
        return Released(_texts(await self._call("leave", queue, worker)))

    async def claim(
        self,
        queue: str,
        worker: str,
        number: int,
        count: int,
        *,
        suspect: bool,
        idle: bool,
        handed: bool = False,
    ) -> Claim | None:
        waits = int(idle) + int(idle and handed)
        reply = await self._call("claim", queue, worker, number, count, int(suspect), waits)
        if reply is None:
            return None
        now, due, more, flat = reply
        jobs = [
            Claimed(suffix.decode(), int(token), raw)
            for suffix, token, raw in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        ]
        return Claim(jobs, now, _time(due), more == 1)

    async def return_claim(self, queue: str, worker: str, number: int) -> Released:
        return Released(_texts(await self._call("return_claim", queue, worker, number)))

    async def release(self, queue: str, worker: str, held: Sequence[tuple[str, int]]) -> Released:
        released: list[str] = []
        # From behind, because each slice goes to the head of its lines.
        for end in range(len(held), 0, -SLICE):
            flat = [word for pair in held[max(0, end - SLICE) : end] for word in pair]
            released = _texts(await self._call("release", queue, worker, *flat)) + released
        return Released(released)

    async def settle(self, queue: str, worker: str, settlements: Sequence[Settlement]) -> list[Verdict]:
        verdicts: list[Verdict] = []
        for start in range(0, len(settlements), SLICE):
            batch = settlements[start : start + SLICE]
            args: list[Any] = [worker, len(batch)]
            failed: list[Any] = []
            for place, one in enumerate(batch, 1):
                args += (one.suffix, one.token, one.state, one.attempt, one.delay, one.ending)
                if one.failure is not None:
                    failed += (place, one.failure.fingerprint, one.failure.sample)
            reply = await self._call("settle", queue, *args, *failed)
            verdicts += [_VERDICTS[stands] for stands in reply]
        return verdicts

    async def promote(self, queue: str, limit: int = 500) -> Promotion:
        moved, due, now = await self._call("promote", queue, limit)
        return Promotion(moved, _time(due), now)

    async def reap(
        self,
        queue: str,
        *,
        max_crashes: int,
        ending: bytes,
        keep: int,
        failure: Failure | None = None,
        limit: int = 500,
        patience: int = 0,
    ) -> Reaping:
        counted = () if failure is None else (failure.fingerprint, failure.sample)
        reply = await self._call("reap", queue, limit, max_crashes, ending, keep, patience, *counted)
        revoked, returned, dead, remaining = reply
        return Reaping(_texts(revoked), _texts(returned), _texts(dead), remaining == 1)

    @asynccontextmanager
    async def listen(self, worker: str, queues: Sequence[str]) -> AsyncGenerator[AsyncIterator[Wake]]:
        channels = {keys.wake(queue, worker).encode(): queue for queue in queues}
        async with (
            self.redis.subscribe(*channels) as inbox,
            aclosing(self._wakes(inbox, channels)) as wakes,
        ):
            yield wakes

    async def _wakes(self, inbox: Inbox, channels: dict[bytes, str]) -> AsyncGenerator[Wake]:
        while True:
            channel, payload = await inbox.receive()
            yield _wake(channels[channel], payload)

    async def nudge(self, queue: str) -> None:
        await self._call("nudge", queue)

    # --- for operators ------------------------------------------------------------------

    async def facts(self, queue: str) -> QueueFacts:
        return _facts(queue, await self._call("facts", queue))

    async def report(self, queue: str, reporter: str, lease: int) -> QueueFacts | None:
        reply = await self._call("report", queue, reporter, lease)
        return None if reply is None else _facts(queue, reply)

    async def resign(self, queue: str, reporter: str) -> None:
        await self._call("resign", queue, reporter)

    async def memory(self, queue: str) -> float:
        return await self._watch.part(queue)

    async def failures(self, queue: str) -> list[FailureCount]:
        flat: Any = await self._execute("HGETALL", keys.failures(queue))
        counts: list[FailureCount] = []
        for fingerprint, kept in zip(flat[::2], flat[1::2], strict=True):
            count, first, last, suffix, sample = kept.split(b" ", 4)
            counts.append(
                failure_count(
                    queue,
                    fingerprint.decode(),
                    count=int(count),
                    first=int(first),
                    last=int(last),
                    suffix=suffix.decode(),
                    sample=sample,
                )
            )
        return newest_first(counts)

    async def queues(self) -> list[str]:
        return sorted(_texts(await self._execute("SMEMBERS", keys.QUEUES)))

    async def ping(self) -> None:
        await self.redis.execute("PING", retry_for=0)


def _wake(queue: str, payload: bytes) -> Wake:
    """Read what `wake`, `hand_over` and `cancel` publish."""
    what, _, words = payload.partition(b" ")
    if what == b"cancel":
        return Wake(queue, cancel=words.decode())
    if what != b"job":
        return Wake(queue)
    head, _, raw = words.partition(b"\n")
    now, number, token, suffix = head.split(b" ", 3)
    return Wake(queue, handed=Handed(Claimed(suffix.decode(), int(token), raw), int(number), int(now)))


def _texts(words: list[bytes]) -> list[str]:
    return [word.decode() for word in words]


def _facts(queue: str, reply: list[int]) -> QueueFacts:
    now, ready, scheduled, running, dead, workers, *times, slots = reply
    oldest_ready, oldest_running, next_due = map(_time, times)
    return QueueFacts(
        *(queue, now, ready, scheduled, running, dead, workers, oldest_ready, oldest_running, next_due, slots)
    )


def _time(milliseconds: int) -> int | None:
    return None if milliseconds < 0 else milliseconds
