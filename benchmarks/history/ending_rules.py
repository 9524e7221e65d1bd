"""The rules about the beginning and the end of a job: submitted, ended once, nothing afterwards."""

from collections.abc import Iterator

from benchmarks.history.records import Final
from benchmarks.history.story import Call, JobStory, QueueStory, Violation
from penstock.engine.job import JobState


def judge(queue: QueueStory, job: JobStory) -> Iterator[Violation]:
    """What is wrong with how one job came into being and how it ended."""
    yield from _known(job)
    yield from _ends_once(queue, job)
    yield from _nothing_after_the_end(job)


def _known(job: JobStory) -> Iterator[Violation]:
    """Nobody works at what nobody submitted, and nobody without having claimed it."""
    if not job.submissions:
        yield job.wrong("unknown id", "it was never submitted", *[hold.claimed for hold in job.in_order()])
    for run in job.unclaimed_runs:
        yield job.wrong(
            "start without claim", "it was started by a worker that never claimed it", run.started
        )
    for stray in job.strays:
        if stray.done:
            says = f"token {stray.entry.token} was accepted from a worker that never had it for this job"
            yield job.wrong("settled without claim", says, *stray.call.records())


def _ends(job: JobStory) -> list[tuple[JobState, Call, int | None]]:
    """Every end that is certain: its state, the call, the token if it was a settlement's."""
    ends: list[tuple[JobState, Call, int | None]] = []
    settlings = [one for hold in job.in_order() for one in hold.settled(final=True)]
    by_token = {one.entry.token: one for one in settlings if one.done}  # sent twice, it is one end
    ends += [(one.entry.state, one.call, token) for token, one in by_token.items()]
    ends += [(JobState.CANCELLED, cancel.call, None) for cancel in job.cancels if cancel.done]
    ends += [(JobState.DEAD, reap, None) for reap in job.buried]
    return ends


def _ends_once(queue: QueueStory, job: JobStory) -> Iterator[Violation]:
    ends, final = _ends(job), job.final
    records = [record for _, call, _ in ends for record in call.records()]
    if len(ends) > 1:
        yield job.wrong("ends once", f"it ended {len(ends)} times", *records)
    if final is None or final.state is None:
        if ends or any(submission.created for submission in job.submissions):
            yield job.wrong("nothing lost", "it was acknowledged, and the store does not know it", *records)
    elif not final.state.final:
        yield job.wrong("nothing lost", f"it never ended: the store says {final.state}", final, *records)
    elif ends and final.state not in [state for state, _, _ in ends]:
        yield job.wrong("ends once", f"it ended {ends[0][0]}, the store says {final.state}", final, *records)
    elif not ends and not _may_have_ended(queue, job, final):
        yield job.wrong("ends once", f"nobody made it {final.state}, as the store says", final)


def _may_have_ended(queue: QueueStory, job: JobStory, final: Final) -> bool:
    """Whether a call without an answer, or a reaper that found enough crashes, explains an end."""
    state, hold = final.state, job.holds.get(final.token)
    if hold is not None and any(one.entry.state is state for one in hold.settled(final=True)):
        return True
    if state is JobState.DEAD and (queue.vague_reaps or 0 < queue.max_crashes <= final.crashes):
        return True
    return state is JobState.CANCELLED and any(cancel.done is None for cancel in job.cancels)


def _nothing_after_the_end(job: JobStory) -> Iterator[Violation]:
    """Tokens grow, so a claim after the end of a settled job shows without a clock."""
    for state, call, token in _ends(job):
        for hold in job.in_order():
            if hold.token > token if token is not None else hold.sent > call.answered:
                started = [run.started for run in hold.runs]
                says = f"it was {'started' if started else 'claimed'} after it had ended {state}"
                yield job.wrong("nothing after the end", says, *call.records(), hold.claimed, *started)
