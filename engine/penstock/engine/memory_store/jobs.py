"""The records of a queue's jobs, their unique keys, and how long ended ones are kept."""

import heapq

import msgspec

from penstock.engine.job import JobState
from penstock.engine.record import Header, Record
from penstock.engine.store import NewJob


class Jobs:
    """Every record of one queue by suffix."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._by_key: dict[tuple[str, str], str] = {}  # (tenant, unique key) → who holds it
        self._key_of: dict[str, tuple[str, str]] = {}
        self._dead: set[str] = set()
        self._removals: list[tuple[int, str]] = []  # a heap: when an ended job's record goes

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, suffix: str) -> Record:
        return self._records[suffix]

    def get(self, suffix: str) -> Record | None:
        """The record, or None where there is none (any more)."""
        return self._records.get(suffix)

    @property
    def dead(self) -> int:
        """Dead letters that are kept."""
        return len(self._dead)

    def holder_of_key(self, job: NewJob) -> str | None:
        """The job that has not ended and holds the unique key of `job`."""
        return None if job.unique is None else self._by_key.get((job.tenant, job.unique))

    def add(self, job: NewJob, header: Header) -> None:
        """Store a new job; it takes its unique key."""
        self._records[job.suffix] = Record(header, job.body, b"")
        if job.unique is not None:
            key = (job.tenant, job.unique)
            self._by_key[key] = job.suffix
            self._key_of[job.suffix] = key

    def rewrite(self, suffix: str, *, ending: bytes | None = None, **changes: object) -> Header:
        """Change words of the header, and the ending where one is given; the body never changes."""
        old = self._records[suffix]
        header: Header = msgspec.structs.replace(old.header, **changes)
        self._records[suffix] = Record(header, old.body, old.ending if ending is None else ending)
        return header

    def retire(self, suffix: str, until: int) -> None:
        """An ended job gives its unique key back and is kept `until` then."""
        key = self._key_of.pop(suffix, None)
        if key is not None:
            del self._by_key[key]
        if self._records[suffix].header.state is JobState.DEAD:
            self._dead.add(suffix)
        heapq.heappush(self._removals, (until, suffix))

    def remove_expired(self, now: int) -> None:
        """Drop the records whose time is over."""
        while self._removals and self._removals[0][0] <= now:
            _, suffix = heapq.heappop(self._removals)
            del self._records[suffix]
            self._dead.discard(suffix)
