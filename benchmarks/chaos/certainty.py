"""What a history of this run proves, where the transport sends again and replies are cut."""

import heapq
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from benchmarks.chaos.append_only import Testimony
from benchmarks.history import Record
from benchmarks.history.records import Cancelled, GivenBack, LeaseLost, Reaped, Settled

_ROUNDING = 2_000_000
"""Nanoseconds: the server's clock tells milliseconds."""


def certain(history: Iterable[Record], testimony: Testimony, offset: int) -> Iterator[Record]:
    """The history for the checker, still in the order of time.

    An answer that lists nothing may be the second one: the first sending did it, and its reply was cut. So it
    counts as no answer at all; so does a refused settlement, which may have stood until the job went on to
    other hands. A reaper's answer that tells of a revoked lease can be lost too, and a worker that held
    nothing may join once more: the server's own file tells when leases ended for good. `offset` is
    nanoseconds: added to the server's clock it gives the history's.
    """
    told = [_without(record, testimony.revived) for record in history if not _may_be_the_second(record)]
    revoked = [
        LeaseLost(by="server", at=at * 1_000_000 + offset + _ROUNDING, queue=queue, worker=worker)
        for (queue, worker), at in testimony.revoked.items()
    ]
    return heapq.merge(told, sorted(revoked, key=_at), key=_at)


def _may_be_the_second(record: Record) -> bool:
    match record:
        case GivenBack():
            return not record.suffixes
        case Cancelled():
            return not record.ended
        case Settled():
            return not all(record.accepted)
        case _:
            return False


def _without(record: Record, revived: set[str]) -> Record:
    if isinstance(record, Reaped) and not revived.isdisjoint(record.revoked):
        return replace(record, revoked=[worker for worker in record.revoked if worker not in revived])
    return record


def _at(record: Record) -> int:
    return record.at
