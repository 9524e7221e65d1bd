"""Sorting records into stories, one pass in the order of time."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.history import records
from benchmarks.history.records import Record
from benchmarks.history.story import Call, Hold, QueueStory, Run, Settling, Submission, Try


class Teller:
    """Takes records one by one; `queues` is complete after `close`."""

    def __init__(self) -> None:
        self.queues: dict[str, QueueStory] = {}
        self._calls: dict[tuple[str, int], tuple[Call, Callable[[Any], None]]] = {}  # not answered yet
        self._open: dict[str, dict[tuple[str, int], Hold]] = defaultdict(dict)  # running, by who recorded it
        # Any: each takes the record type it is listed under.
        self._takers: dict[type, Callable[[Any], None]] = {
            records.Submit: self._submit,
            records.Claimed: self._claimed,
            records.Settle: self._settle,
            records.GiveBack: self._give_back,
            records.Cancel: self._cancel,
            records.Reap: self._reap,
            records.LeaseLost: self._lease_lost,
            records.Joined: self._joined,
            records.Started: self._started,
            records.Finished: self._finished,
            records.Crashed: self._crashed,
            records.Final: self._final,
        }

    def tell(self, history: Iterable[Record]) -> dict[str, QueueStory]:
        """The stories of all queues."""
        for record in history:
            if isinstance(
                record,
                records.Submitted | records.Settled | records.GivenBack | records.Cancelled | records.Reaped,
            ):
                call, learn = self._calls.pop((record.by, record.call))
                call.answer = record
                learn(record)
            else:
                self._takers[type(record)](record)
        return self.queues

    def _queue(self, name: str) -> QueueStory:
        if name not in self.queues:
            self.queues[name] = QueueStory(name)
        return self.queues[name]

    def _submit(self, record: records.Submit) -> None:
        call, queue = Call(record), self._queue(record.queue)
        sent = [Submission(call, entry, place) for place, entry in enumerate(record.jobs)]
        for one in sent:
            queue.job(one.entry.suffix).submissions.append(one)

        def learn(answer: records.Submitted) -> None:
            for one, (suffix, created) in zip(sent, answer.answers, strict=True):
                one.created = created and suffix == one.entry.suffix

        self._calls[record.by, record.call] = call, learn

    def _claimed(self, record: records.Claimed) -> None:
        queue = self._queue(record.queue)
        for entry in record.jobs:
            queue.add(Hold(entry, record.queue, record.worker, record.number, record, record.sent))

    def _settle(self, record: records.Settle) -> None:
        call, queue = Call(record), self._queue(record.queue)
        sent: list[Settling] = []
        for entry in record.endings:
            job, settling = queue.job(entry.suffix), Settling(call, entry)
            hold = job.holds.get(entry.token)
            if hold is not None and hold.worker == record.worker:
                hold.settlings.append(settling)
            else:
                job.strays.append(settling)
            sent.append(settling)

        def learn(answer: records.Settled) -> None:
            for settling, accepted in zip(sent, answer.accepted, strict=True):
                settling.done = accepted

        self._calls[record.by, record.call] = call, learn

    def _give_back(self, record: records.GiveBack) -> None:
        call, queue = Call(record), self._queue(record.queue)
        give_back = self._release if record.how == "release" else self._give_back_all
        self._calls[record.by, record.call] = call, give_back(record, call, queue)

    def _give_back_all(
        self, record: records.GiveBack, call: Call, queue: QueueStory
    ) -> Callable[[records.GivenBack], None]:
        vague = queue.workers[record.worker].vague
        vague.append(call)

        def learn(answer: records.GivenBack) -> None:
            vague.remove(call)
            for suffix in answer.suffixes:
                queue.job(suffix).returns.append((record.worker, call))

        return learn

    def _release(
        self, record: records.GiveBack, call: Call, queue: QueueStory
    ) -> Callable[[records.GivenBack], None]:
        tried: dict[str, Try] = {}
        for suffix, token in record.pairs:
            hold = queue.job(suffix).holds.get(token)
            if hold is not None:  # else its claim's answer was lost, and the heartbeat told of it
                tried[suffix] = Try(call)
                hold.returns.append(tried[suffix])

        def learn(answer: records.GivenBack) -> None:
            released = set(answer.suffixes)
            for suffix, attempt in tried.items():
                attempt.done = suffix in released

        return learn

    def _cancel(self, record: records.Cancel) -> None:
        call = Call(record)
        request = Try(call)
        self._queue(record.queue).job(record.suffix).cancels.append(request)

        def learn(answer: records.Cancelled) -> None:
            request.done = answer.ended

        self._calls[record.by, record.call] = call, learn

    def _reap(self, record: records.Reap) -> None:
        call, queue = Call(record), self._queue(record.queue)
        queue.vague_reaps.append(call)
        queue.max_crashes = record.max_crashes

        def learn(answer: records.Reaped) -> None:
            queue.vague_reaps.remove(call)
            for worker in answer.revoked:
                queue.revoke(worker, answer, call.sent)
            for suffix in answer.dead:
                queue.job(suffix).buried.append(call)

        self._calls[record.by, record.call] = call, learn

    def _lease_lost(self, record: records.LeaseLost) -> None:
        # By whom and since when the reapers' records tell; this bounds it from above.
        self._queue(record.queue).revoke(record.worker, record, 0)

    def _joined(self, record: records.Joined) -> None:
        story = self._queue(record.queue).workers[record.worker]
        story.joined = max(story.joined, record.at)

    def _started(self, record: records.Started) -> None:
        job = self._queue(record.queue).job(record.suffix)
        run, hold = Run(record, record.attempt, record.most), job.latest.get(record.worker)
        if hold is None:
            job.unclaimed_runs.append(run)
        else:
            hold.runs.append(run)
            self._open[record.by][hold.queue, hold.token] = hold

    def _finished(self, record: records.Finished) -> None:
        hold = self._queue(record.queue).job(record.suffix).latest.get(record.worker)
        if hold is not None and self._open[record.by].pop((hold.queue, hold.token), None) is not None:
            hold.runs[-1].ended = record.at

    def _crashed(self, record: records.Crashed) -> None:
        for hold in self._open.pop(record.victim, {}).values():
            hold.runs[-1].ended = record.at

    def _final(self, record: records.Final) -> None:
        self._queue(record.queue).job(record.suffix).final = record
