"""The rules about who holds a job: one worker at a time, who alone may settle it, counted as it goes on."""

from collections.abc import Iterator
from itertools import pairwise

from benchmarks.history.story import Hold, JobStory, QueueStory, Run, Settling, Violation
from penstock.engine.job import JobState

COUNTED = {JobState.SUCCEEDED, JobState.SCHEDULED, JobState.READY}
"""Endings of an attempt that counts."""
NOT_COUNTED = {JobState.PARKED, JobState.EXPIRED}
"""Dead and cancelled may count or not: a job that no worker knows dies without an attempt."""


def judge(queue: QueueStory, job: JobStory) -> Iterator[Violation]:
    """What is wrong with one job in the hands of workers."""
    holds = job.in_order()
    for hold, overtaker in zip(holds, _overtakers(holds), strict=True):
        yield from _settled_by_its_holder(queue, job, hold, overtaker)
        yield from _runs(job, hold)
        if 0 < queue.max_crashes <= hold.entry.crashes:
            yield job.wrong("crashes", f"claimed after {hold.entry.crashes} of them", hold.claimed)
    for earlier, later in pairwise(holds):
        yield from _given_up(queue, job, earlier, later)
        yield from _counted(job, earlier, later)
    yield from _one_at_a_time(queue, job, holds)


def _overtakers(holds: list[Hold]) -> list[Hold | None]:
    """For each hold, of those with greater tokens the one that was answered first."""
    overtakers: list[Hold | None] = []
    first: Hold | None = None
    for hold in reversed(holds):
        overtakers.append(first)
        first = hold if first is None or hold.answered < first.answered else first
    return overtakers[::-1]


def _settled_by_its_holder(
    queue: QueueStory, job: JobStory, hold: Hold, overtaker: Hold | None
) -> Iterator[Violation]:
    standing = [one for one in hold.settlings if one.done is not False]
    accepted = [one for one in standing if one.done]
    if not accepted:
        return
    first, revoked = standing[0].call, queue.workers[hold.worker].revoked
    # Whoever held nothing may join again, and holds what it claims from then on.
    anew = revoked is not None and revoked.at < hold.sent and revoked.at < queue.workers[hold.worker].joined
    if revoked is not None and revoked.at < first.sent and not anew:
        says = f"token {hold.token} was accepted from {hold.worker} after its lease had been revoked"
        yield job.wrong("settled after revocation", says, revoked, *accepted[0].call.records())
    if overtaker is not None and overtaker.answered < first.sent:
        says = f"token {hold.token} was accepted when token {overtaker.token} had been given"
        yield job.wrong("settled by the holder", says, overtaker.claimed, *accepted[0].call.records())
    for one in accepted:
        if not _attempt_fits(one, hold):
            says = f"attempt {hold.entry.attempt + 1} became {one.entry.state} number {one.entry.attempt}"
            yield job.wrong("attempts", says, hold.claimed, one.call.request)


def _attempt_fits(settling: Settling, hold: Hold) -> bool:
    state, counts = settling.entry.state, settling.entry.attempt - hold.entry.attempt
    if state in COUNTED:
        return counts == 1
    return counts == 0 if state in NOT_COUNTED else counts in (0, 1) or settling.entry.attempt == 0


def _runs(job: JobStory, hold: Hold) -> Iterator[Violation]:
    settled = [one.call for one in hold.settlings] + [one.call for one in hold.returns]
    for number, run in enumerate(hold.runs):
        if number:
            yield job.wrong("one start a claim", f"started twice under token {hold.token}", run.started)
        if run.attempt != hold.entry.attempt + 1 or run.attempt > run.most:
            says = f"attempt {run.attempt} of {run.most} was started, {hold.entry.attempt} had ended"
            yield job.wrong("attempts", says, hold.claimed, run.started)
        for call in settled:
            if call.sent < run.ended:
                says = f"token {hold.token} was settled or given back while its handler ran"
                yield job.wrong("settled at the end", says, run.started, call.request)


# --- from one hold to the next ----------------------------------------------------------------


def _given_up(queue: QueueStory, job: JobStory, earlier: Hold, later: Hold) -> Iterator[Violation]:
    """A job is claimed again only after a retry, a return, or the end of the holder's lease."""
    retried = any(one.call.sent <= later.answered for one in earlier.settled(final=False))
    returned = any(one.done is not False and one.call.sent <= later.answered for one in earlier.returns)
    ended = any(
        worker == earlier.worker and call.sent <= later.answered and call.answered >= earlier.sent
        for worker, call in job.returns
    )
    vague = any(call.sent <= later.answered for call in queue.workers[earlier.worker].vague)
    if retried or returned or ended or vague:
        return
    if not queue.may_be_revoked(earlier.worker, later.answered):
        says = f"token {later.token} was given while {earlier.worker} held token {earlier.token}"
        yield job.wrong("one holder", says, earlier.claimed, later.claimed)
    elif later.entry.crashes <= earlier.entry.crashes:
        says = f"{earlier.worker} lost it with its lease, and no crash was counted"
        yield job.wrong("crashes", says, earlier.claimed, later.claimed)


def _counted(job: JobStory, earlier: Hold, later: Hold) -> Iterator[Violation]:
    """Attempts are counted by settlements alone; crashes never become fewer."""
    retries = list(earlier.settled(final=False))
    expected = {one.entry.attempt for one in retries}
    if not any(one.done for one in retries):
        expected.add(earlier.entry.attempt)
    if later.entry.attempt not in expected:
        says = f"{later.entry.attempt} attempts had ended at token {later.token}, expected {sorted(expected)}"
        yield job.wrong("attempts", says, earlier.claimed, later.claimed)
    if later.entry.crashes < earlier.entry.crashes:
        yield job.wrong("crashes", "they became fewer", earlier.claimed, later.claimed)


def _one_at_a_time(queue: QueueStory, job: JobStory, holds: list[Hold]) -> Iterator[Violation]:
    """Two workers run a job at once only where the first one's lease was lost."""
    open_runs: list[tuple[Run, Hold]] = []
    for hold in holds:
        for run in hold.runs:
            began = run.started.at
            open_runs = [pair for pair in open_runs if pair[0].ended > began]
            for other, holder in open_runs:
                if not queue.may_be_revoked(holder.worker, began):
                    says = f"{hold.worker} started it while {holder.worker} ran it"
                    yield job.wrong("one at a time", says, other.started, run.started)
            open_runs.append((run, hold))
