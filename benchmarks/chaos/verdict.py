"""What a run showed, put together from its three witnesses."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from benchmarks.chaos.append_only import Testimony
from benchmarks.chaos.calm import Final
from benchmarks.chaos.slot import Death
from benchmarks.chaos.torment import Injected
from benchmarks.history import records
from benchmarks.history.records import Record


class Asked(msgspec.Struct):
    """What the processes asked of the store, and heard from it, according to their history."""

    sent: set[tuple[str, str]] = set()
    """(queue, suffix) of every submission."""
    acknowledged: set[str] = set()
    """Ids that somebody was told to exist."""
    cancels: set[str] = set()
    refused: int = 0
    """Settlements that came too late."""


def read_history(history: Iterable[Record]) -> Asked:
    """Go through a history once."""
    asked, queues = Asked(), dict[tuple[str, int], str]()
    for record in history:
        match record:
            case records.Submit():
                queues[record.by, record.call] = record.queue
                asked.sent.update((record.queue, job.suffix) for job in record.jobs)
            case records.Submitted():
                queue = queues.pop((record.by, record.call))
                asked.acknowledged.update(f"{queue}.{suffix}" for suffix, _ in record.answers)
            case records.Cancel():
                asked.cancels.add(f"{record.queue}.{record.suffix}")
            case records.Settled():
                asked.refused += record.accepted.count(False)
            case _:
                pass
    return asked


class Verdict(msgspec.Struct, kw_only=True):
    """One run. Seconds throughout; `violations` is empty, `lost` and `twice` too, or something is wrong."""

    seed: int
    seconds: float
    folder: Path
    submitted: int
    acknowledged: int
    ended: int
    lost: list[str]
    twice: list[str]
    violations: list[str]
    redelivered: int
    refused: int
    buried: int
    """Jobs that were held by three workers that died."""
    faults: dict[str, int]
    mishaps: dict[str, int]
    recoveries: list[tuple[float, str]]
    """From each fault to the next job that ended, and which fault it was."""
    takeovers: list[tuple[float, float]]
    """From the SIGKILL of a worker that held jobs of a queue: until its lease was revoked and they were back
    in line, and until the last of them was in other hands."""

    @property
    def fine(self) -> bool:
        """Whether nothing was lost, done twice, or otherwise against the rules."""
        return not (self.lost or self.twice or self.violations)


def lost(final: Final, asked: Asked, testimony: Testimony) -> list[str]:
    """Jobs that were acknowledged or stored, and have not ended."""
    stored = {job for job, life in testimony.lives.items() if not life.header.state.final}
    return sorted({*final.unended, *stored, *(set(final.missing) & asked.acknowledged)})


def recoveries(injected: Sequence[Injected], ended: Sequence[int]) -> list[tuple[float, str]]:
    """Seconds from each fault to the next ending; a fault after which nothing ended is left out."""
    times, found = sorted(ended), list[tuple[float, str]]()
    for one in injected:
        place = bisect_left(times, one.at)
        if place < len(times):
            label = f"{one.fault.target} {one.fault.kind} at {one.fault.at:.1f} s"
            found.append(((times[place] - one.at) / 1000, label))
    return found


def takeovers(deaths: Iterable[Death], testimony: Testimony) -> list[tuple[float, float]]:
    """Seconds from each death to the revocation of its lease, and to the last claim of what it held."""
    at, found = {death.pid: death.at for death in deaths}, list[tuple[float, float]]()
    for lease, claims in testimony.taken_over.items():
        died, revoked = at.get(int(lease[1].rsplit("-", 3)[1])), testimony.revoked[lease]
        if died is not None and died <= revoked:  # or it had lost that lease before
            found.append(((revoked - died) / 1000, (max(claims) - died) / 1000))
    return found
