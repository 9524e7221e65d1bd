"""A store that records what is asked of it and what it answers."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import msgspec

from benchmarks.history import records
from benchmarks.history.recorder import Recorder
from benchmarks.history.records import ClaimedEntry, How, NewEntry, SettleEntry
from benchmarks.history.relay import Relay
from penstock.engine.failure_counts import Failure
from penstock.engine.job import JobState
from penstock.engine.store import (
    PLAIN,
    Cancellation,
    Claim,
    Claimed,
    Handed,
    Heartbeat,
    NewJob,
    Reaping,
    Released,
    Settlement,
    Store,
    Submitted,
    Terms,
    Verdict,
    Wake,
)


class _Sent(msgspec.Struct):
    """A claim, and whether a job may be handed over under the next number."""

    number: int
    at: int
    since: int
    """The earliest moment at which the store can have carried it out."""
    handed: bool
    """This one allows it, or one before that left nothing but word."""


class RecordingStore(Relay):
    """Passes everything on to `inner`; a call is recorded before it is sent, an answer before it is given.

    Of claims only answers are recorded: those that nobody heard of show as holes in the tokens.
    """

    def __init__(self, inner: Store, recorder: Recorder) -> None:
        super().__init__(inner)
        self._recorder = recorder
        self._claims: dict[tuple[str, str], _Sent] = {}  # the last ones

    async def submit(self, queue: str, jobs: Sequence[NewJob], terms: Terms = PLAIN) -> list[Submitted]:
        to, call = self._recorder, self._recorder.next_call()
        sent = [
            NewEntry(job.suffix, job.priority, job.tenant, job.due is not None or job.delay > 0)
            for job in jobs
        ]
        to.write(records.Submit(by=to.by, at=to.clock(), call=call, queue=queue, jobs=sent))
        answers = await super().submit(queue, jobs, terms)
        told = [(answer.suffix, answer.created) for answer in answers]
        to.write(records.Submitted(by=to.by, at=to.clock(), call=call, answers=told))
        return answers

    async def join(self, queue: str, worker: str, lease: int, slots: int = 0) -> None:
        await super().join(queue, worker, lease, slots)
        to = self._recorder
        to.write(records.Joined(by=to.by, at=to.clock(), queue=queue, worker=worker))

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
        to = self._recorder
        last = self._claims.get((queue, worker))
        if last is None or number != last.number:
            # Since the last, where that allowed it, a job may have been handed over under this number.
            at = to.clock()
            allowed = last is not None and last.handed
            since = last.at if last is not None and allowed else at
            self._claims[queue, worker] = last = _Sent(number, at, since, handed or allowed)
        claim = await super().claim(queue, worker, number, count, suspect=suspect, idle=idle, handed=handed)
        if claim is not None and claim.jobs:
            last.handed = False
            self._claimed(queue, worker, number, last.since, claim.jobs)
        return claim

    @asynccontextmanager
    async def listen(self, worker: str, queues: Sequence[str]) -> AsyncGenerator[AsyncIterator[Wake]]:
        async with super().listen(worker, queues) as wakes, aclosing(self._heard(worker, wakes)) as heard:
            yield heard

    async def _heard(self, worker: str, wakes: AsyncIterator[Wake]) -> AsyncGenerator[Wake]:
        async for wake in wakes:
            if wake.handed is not None:
                self._handed(wake.queue, worker, wake.handed)
            yield wake

    def _handed(self, queue: str, worker: str, handed: Handed) -> None:
        """A claim that nobody sent; a late one the worker has sent since, and is told by its answer."""
        last = self._claims[queue, worker]
        if handed.number > last.number:
            self._claimed(queue, worker, handed.number, last.at, [handed.job])

    def _claimed(self, queue: str, worker: str, number: int, sent: int, claimed: Sequence[Claimed]) -> None:
        to, jobs = self._recorder, [_entry(one.suffix, one.token, one.raw) for one in claimed]
        to.write(
            records.Claimed(
                by=to.by, at=to.clock(), sent=sent, queue=queue, worker=worker, number=number, jobs=jobs
            )
        )

    async def settle(self, queue: str, worker: str, settlements: Sequence[Settlement]) -> list[Verdict]:
        to, call = self._recorder, self._recorder.next_call()
        sent = [SettleEntry(one.suffix, one.token, one.state, one.attempt) for one in settlements]
        to.write(records.Settle(by=to.by, at=to.clock(), call=call, queue=queue, worker=worker, endings=sent))
        verdicts = await super().settle(queue, worker, settlements)
        accepted = [verdict == "settled" for verdict in verdicts]
        to.write(records.Settled(by=to.by, at=to.clock(), call=call, accepted=accepted))
        return verdicts

    async def release(self, queue: str, worker: str, held: Sequence[tuple[str, int]]) -> Released:
        call = self._give_back(queue, worker, "release", held)
        return self._given_back(call, await super().release(queue, worker, held))

    async def return_claim(self, queue: str, worker: str, number: int) -> Released:
        call = self._give_back(queue, worker, "return_claim")
        return self._given_back(call, await super().return_claim(queue, worker, number))

    async def leave(self, queue: str, worker: str) -> Released:
        call = self._give_back(queue, worker, "leave")
        return self._given_back(call, await super().leave(queue, worker))

    def _give_back(self, queue: str, worker: str, how: How, held: Sequence[tuple[str, int]] = ()) -> int:
        to, call = self._recorder, self._recorder.next_call()
        to.write(
            records.GiveBack(
                by=to.by, at=to.clock(), call=call, queue=queue, worker=worker, how=how, pairs=[*held]
            )
        )
        return call

    def _given_back(self, call: int, released: Released) -> Released:
        to = self._recorder
        to.write(records.GivenBack(by=to.by, at=to.clock(), call=call, suffixes=released.suffixes))
        return released

    async def cancel(self, queue: str, suffix: str) -> Cancellation | None:
        to, call = self._recorder, self._recorder.next_call()
        to.write(records.Cancel(by=to.by, at=to.clock(), call=call, queue=queue, suffix=suffix))
        answer = await super().cancel(queue, suffix)
        ended = answer is not None and answer.changed and answer.state is JobState.CANCELLED
        to.write(records.Cancelled(by=to.by, at=to.clock(), call=call, ended=ended))
        return answer

    async def heartbeat(self, queue: str, worker: str, lease: int) -> Heartbeat | None:
        beat = await super().heartbeat(queue, worker, lease)
        if beat is None:
            to = self._recorder
            to.write(records.LeaseLost(by=to.by, at=to.clock(), queue=queue, worker=worker))
        return beat

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
        to, call = self._recorder, self._recorder.next_call()
        to.write(records.Reap(by=to.by, at=to.clock(), call=call, queue=queue, max_crashes=max_crashes))
        reaping = await super().reap(
            queue,
            max_crashes=max_crashes,
            ending=ending,
            keep=keep,
            failure=failure,
            limit=limit,
            patience=patience,
        )
        to.write(
            records.Reaped(
                by=to.by,
                at=to.clock(),
                call=call,
                revoked=reaping.revoked,
                returned=reaping.returned,
                dead=reaping.dead,
            )
        )
        return reaping


def _entry(suffix: str, token: int, raw: bytes) -> ClaimedEntry:
    """The header's third and fourth words are attempts and crashes (`penstock.engine.record`)."""
    words = raw.split(b" ", 4)
    return ClaimedEntry(suffix, token, int(words[2]), int(words[3]))
