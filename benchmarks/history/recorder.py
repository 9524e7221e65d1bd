"""The recorder: writes lines, as an observer of a worker's events and for `RecordingStore`."""

import os
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from benchmarks.history.records import Crashed, Final, Finished, Record, Started, encode
from penstock.engine.attempt import Attempt
from penstock.engine.events import Event, JobFinished, JobStarted
from penstock.engine.names import split_job_id
from penstock.engine.store import Store


class Recorder:
    """Records what one process does, under the name `by`.

    `write` takes each record at once; `clock` is nanoseconds, one clock for all recorders of a history.
    """

    def __init__(
        self, by: str, write: Callable[[Record], None], clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.by = by
        self.write = write
        self.clock = clock
        self._calls = count(1)

    def next_call(self) -> int:
        """A number for a call and its answer."""
        return next(self._calls)

    def observe(self, event: Event) -> None:
        """An observer: `Observers(recorder.observe)` on the worker's seams."""
        if isinstance(event, JobStarted):
            self._started(event.attempt)
        elif isinstance(event, JobFinished):
            queue, suffix = split_job_id(event.attempt.id)
            self.write(
                Finished(by=self.by, at=self.clock(), queue=queue, suffix=suffix, worker=event.attempt.worker)
            )

    def _started(self, attempt: Attempt) -> None:
        queue, suffix = split_job_id(attempt.id)
        self.write(
            Started(
                by=self.by,
                at=self.clock(),
                queue=queue,
                suffix=suffix,
                worker=attempt.worker,
                attempt=attempt.number,
                most=attempt.max_attempts,
            )
        )

    def crashed(self, victim: str) -> None:
        """`victim`, the name of a recorder, was killed: call it when it certainly does nothing any more."""
        self.write(Crashed(by=self.by, at=self.clock(), victim=victim))

    async def final(self, store: Store, queue: str, suffixes: Iterable[str]) -> None:
        """Read what has become of each job; for the end, when nothing moves any more."""
        for suffix in suffixes:
            record = await store.read(queue, suffix)
            if record is None:
                self.write(Final(by=self.by, at=self.clock(), queue=queue, suffix=suffix, state=None))
                continue
            header = record.header
            self.write(
                Final(
                    by=self.by,
                    at=self.clock(),
                    queue=queue,
                    suffix=suffix,
                    state=header.state,
                    attempt=header.attempt,
                    crashes=header.crashes,
                    token=header.token,
                )
            )


@contextmanager
def recording(by: str, path: Path) -> Generator[Recorder]:
    """A recorder into a file: each record is one `write()`, so it outlives a process that is killed."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(record: Record) -> None:
        os.write(file, encode(record) + b"\n")

    try:
        yield Recorder(by, write)
    finally:
        os.close(file)
