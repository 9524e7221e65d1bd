"""The rules about order: tokens grow from claim to claim, and first claims follow submissions."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

import msgspec

from benchmarks.history.story import NEVER, Hold, JobStory, QueueStory, Submission, Violation


class Placed(msgspec.Struct):
    """A job's first claim and when it was submitted: not before `sent`, surely when it was `answered`."""

    hold: Hold
    sent: int
    answered: int
    submission: Submission
    alone: bool
    """Whether it was sent once; then the other jobs of the same call are in order too."""

    @property
    def token(self) -> int:
        return self.hold.token


def judge(queue: QueueStory) -> Iterator[Violation]:
    """Everything that is wrong with the order in one queue."""
    for hold in queue.clashes:
        first, job = queue.holds[hold.token], f"{queue.name}.{hold.entry.suffix}"
        says = f"token {hold.token} was given before, to {first.worker} for {first.entry.suffix}"
        yield Violation("a token once", job, says, [first.claimed, hold.claimed])
    yield from _tokens_grow(queue)
    lanes: dict[tuple[int, str], list[Placed]] = defaultdict(list)
    for story in queue.jobs.values():
        if (placed := _place(story)) is not None:
            entry = placed.submission.entry
            lanes[entry.priority, entry.tenant].append(placed)
    late = [one for lane in lanes.values() for one in _out_of_order(lane)]
    yield from _not_excused(queue, late)


def _place(job: JobStory) -> Placed | None:
    """None for a job that was never claimed, was to wait, or whose first claim died with its worker."""
    if not job.holds or not job.submissions:
        return None
    first = job.holds[min(job.holds)]
    if first.entry.crashes or first.entry.attempt or any(one.entry.later for one in job.submissions):
        return None
    sent = min(one.call.sent for one in job.submissions)
    answered = min((one.call.answered for one in job.submissions if one.created), default=NEVER)
    return Placed(first, sent, answered, job.submissions[0], alone=len(job.submissions) == 1)


def _tokens_grow(queue: QueueStory) -> Iterator[Violation]:
    """A claim sent after another was answered gives greater tokens only."""
    by_answer = sorted(queue.holds.values(), key=lambda hold: hold.answered)
    highest: Hold | None = None
    place = 0
    for hold in sorted(queue.holds.values(), key=lambda hold: hold.sent):
        while by_answer[place].answered < hold.sent:
            if highest is None or by_answer[place].token > highest.token:
                highest = by_answer[place]
            place += 1
        if highest is not None and highest.token > hold.token:
            says = f"token {hold.token} was given after token {highest.token}"
            job = f"{queue.name}.{hold.entry.suffix}"
            yield Violation("tokens grow", job, says, [highest.claimed, hold.claimed])


def _out_of_order(lane: list[Placed]) -> Iterator[tuple[int, Violation]]:
    """Jobs that were claimed after one that was certainly submitted later; the token of that one."""
    latest: Placed | None = None
    furthest: dict[int, Placed] = {}  # by call, the last place in it that was claimed
    for one in sorted(lane, key=lambda placed: placed.token):
        call = id(one.submission.call)
        other = furthest.get(call)
        if latest is not None and latest.sent > one.answered:
            yield latest.token, _late(one, latest)
        elif one.alone and other is not None and other.submission.place > one.submission.place:
            yield other.token, _late(one, other)
        elif one.alone:
            furthest[call] = one
        if latest is None or one.sent > latest.sent:
            latest = one


def _late(one: Placed, other: Placed) -> Violation:
    says = f"it was claimed after {other.hold.entry.suffix}, which was submitted later to the same lane"
    evidence = [one.submission.call.request, other.hold.claimed, one.hold.claimed]
    return Violation("first claims in order", f"{one.hold.queue}.{one.hold.entry.suffix}", says, evidence)


def _not_excused(queue: QueueStory, late: list[tuple[int, Violation]]) -> Iterator[Violation]:
    """A token that nobody got was given in an answer that was lost: it may have been the late job's first.

    Each such hole excuses one job, if it is older than the claim that overtook the job.
    """
    tokens, excused = sorted(queue.holds), 0
    for token, violation in sorted(late, key=lambda pair: pair[0]):
        if token - 1 - bisect_left(tokens, token) > excused:
            excused += 1
        else:
            yield violation
