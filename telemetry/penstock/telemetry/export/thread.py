"""Finished spans wait here, bounded, for a thread that hands them over; whoever makes them never waits.

What finds no room is dropped and counted, the newest first: what waits longest leaves next. A batch that
the other side cannot take now is kept and tried again with growing pauses; meanwhile the buffer fills, to
its bound.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import uniform
from typing import Generic, Protocol, TypeVar

import msgspec
import structlog

T = TypeVar("T")


class Limits(msgspec.Struct, frozen=True):
    """How much waits, and for how long; OTEL_BSP_* set them (`export/start.py`).

    The batch that is being sent counts no more: one batch beside these bounds is the most there is.
    """

    spans: int = 32_768
    """About a second of jobs' spans at full speed."""
    bytes: int = 32 * 1024 * 1024
    """Where spans are encoded; those of other libraries count as 1 KiB."""
    batch: int = 4_096
    batch_bytes: int = 4 * 1024 * 1024
    """A batch leaves with so many spans or bytes, before compression; collectors refuse what is too large
    as a whole, many of them from 20 MiB."""
    delay: float = 1.0
    """Seconds that a span waits for company at most."""


class Patience(msgspec.Struct, frozen=True):
    """How a batch is tried again; all in seconds."""

    first: float = 0.5
    """The first pause; doubled each time, and spread, as the OTLP specification asks."""
    longest: float = 30.0
    give_up: float = 120.0
    """After which a batch that nobody took is dropped."""
    last: float = 0.2
    """The pause once closing: there is little time left."""


class Answer(msgspec.Struct, frozen=True):
    """What became of a batch."""

    taken: int = 0
    """Spans that were accepted."""
    reason: str = ""
    """Why the others were not."""
    again: bool = False
    """Whether the same batch may be taken later."""
    after: float | None = None
    """Seconds to wait before that, if the other side said so."""


Sending = Callable[[float | None], Answer]
"""Sends a batch in so many seconds (None: as configured); to be called again where the answer says so."""


class Sender(Protocol[T]):
    """Hands batches over; used by one thread only. What it raises costs the batch, which is counted."""

    def prepare(self, batch: list[T]) -> Sending:
        """Encode `batch`, once however often it is sent."""
        ...

    def close(self) -> None:
        """Let the connections go."""
        ...


class _Batch(Generic[T]):
    __slots__ = ("items", "since", "size")

    def __init__(self) -> None:
        self.items: list[T] = []
        self.size = 0  # bytes
        self.since = 0  # when the first of it ended, ns since the epoch


class ExportThread(Generic[T]):
    """A bounded buffer and the thread behind it; `put` from any thread."""

    def __init__(
        self,
        sender: Sender[T],
        limits: Limits,
        patience: Patience | None = None,
        *,
        fill: Callable[[], object] = bool,
    ) -> None:
        """`fill` is called before the thread looks for what waits: what is held back is put now."""
        self.limits = limits
        self._fill = fill
        self.taken = 0
        """Spans that the other side accepted."""
        self._patience = patience or Patience()
        self._dropped: Counter[str] = Counter()
        self._sender = sender
        self._lock = threading.Lock()
        self._full: deque[_Batch[T]] = deque()
        self._open: _Batch[T] = _Batch()
        self._in_hand: _Batch[T] = _Batch()
        self._spans = self._bytes = 0  # of what waits, without what is in hand
        self._done = 0  # spans that are not waiting any more, whatever became of them
        self._closed = self._urgent = False
        self._wake = threading.Event()
        self._idle = threading.Condition(self._lock)
        self._closing = threading.Event()
        self._deadline = float("inf")
        # A daemon: a collector that never answers may not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="penstock-span-exporter", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> Mapping[str, int]:
        """Spans lost, by reason: queue_full, rejected, unavailable, unencodable, exporter_failed, closed."""
        return dict(self._dropped)

    @property
    def waiting(self) -> int:
        """Spans that are not handed over yet."""
        return self._spans + len(self._in_hand.items)

    @property
    def lag(self) -> float:
        """Seconds since the oldest span that waits has ended; 0 where none waits."""
        with self._lock:
            oldest = next((batch for batch in (self._in_hand, *self._full, self._open) if batch.items), None)
        return 0.0 if oldest is None else max(0.0, (time.time_ns() - oldest.since) / 1e9)

    def put(self, ended: int, size: int, item: T) -> None:
        """Take one; `ended` in nanoseconds since the epoch, `size` in bytes."""
        self.put_all(ended, [size], [item])

    def put_all(self, ended: int, sizes: Sequence[int], items: Sequence[T]) -> None:
        """Take some, each with its size; the first of them `ended` then."""
        limits, whole = self.limits, sum(sizes)
        with self._lock:
            batch = self._open
            if (
                not self._closed
                and self._spans + len(items) <= limits.spans
                and self._bytes + whole <= limits.bytes
                and len(batch.items) + len(items) < limits.batch
                and batch.size + whole < limits.batch_bytes
            ):  # as nearly always: there is room for all, and none of them fills the batch
                self._add(ended, items, whole)
            else:
                for size, item in zip(sizes, items, strict=True):
                    self._put(ended, size, item)

    def _put(self, ended: int, size: int, item: T) -> None:
        limits = self.limits
        if self._closed or self._spans >= limits.spans or self._bytes + size > limits.bytes:
            self._dropped["closed" if self._closed else "queue_full"] += 1
            return
        self._add(ended, (item,), size)
        if len(self._open.items) >= limits.batch or self._open.size >= limits.batch_bytes:
            self._full.append(self._open)
            self._open = _Batch()
            self._wake.set()

    def _add(self, ended: int, items: Sequence[T], size: int) -> None:
        if not self._open.items:
            self._open.since = ended
        self._spans += len(items)
        self._bytes += size
        self._open.items += items
        self._open.size += size

    def drop(self, reason: str, count: int = 1) -> None:
        """Count spans as lost."""
        with self._lock:
            self._dropped[reason] += count

    def flush(self, timeout: float) -> bool:
        """Block until all that was put before has left, at most `timeout` seconds; True where it has."""
        with self._idle:
            until = self._done + self.waiting
            self._urgent = True
            self._wake.set()
            return self._idle.wait_for(lambda: self._done >= until, timeout)

    def close(self, timeout: float) -> bool:
        """Hand over what waits within `timeout` seconds and end; True if nothing was lost by it. Blocks."""
        self._fill()
        with self._lock:
            self._deadline = time.monotonic() + timeout
            self._closed = True
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout)
        return not self._thread.is_alive() and not self._dropped["closed"]

    def _run(self) -> None:
        while not self._closing.is_set():
            full = self._wake.wait(self.limits.delay)
            self._wake.clear()
            if not full:
                self._fill()
            self._hand_over(everything=not full)
        self._hand_over(everything=True)
        with self._idle:
            if self._spans:
                self._dropped["closed"] += self._spans
            self._done += self._spans
            self._spans = self._bytes = 0
            self._full.clear()
            self._open = _Batch()
            self._idle.notify_all()
        with suppress(Exception):  # somebody else's exporter may raise here too; nothing is left to lose
            self._sender.close()

    def _hand_over(self, *, everything: bool) -> None:
        """What is full, and with `everything` what is not."""
        while time.monotonic() < self._deadline and self._take(everything=everything):
            self._deliver(self._in_hand.items)
            with self._idle:
                self._done += len(self._in_hand.items)
                self._in_hand = _Batch()
                self._idle.notify_all()

    def _take(self, *, everything: bool) -> bool:
        """Take the next batch in hand; False where there is none."""
        with self._lock:
            if self._full:
                batch = self._full.popleft()
            elif self._open.items and (everything or self._urgent):
                batch, self._open = self._open, _Batch()
            else:
                self._urgent = False
                return False
            self._in_hand = batch
            self._spans -= len(batch.items)
            self._bytes -= batch.size
        return True

    def _deliver(self, batch: list[T]) -> None:
        try:
            answer = self._insist(self._sender.prepare(batch))
        except Exception:  # a defect of a sender or of one span; the thread is needed for all others
            if "exporter_failed" not in self._dropped:  # told once
                structlog.get_logger("penstock").exception("span_export_failed")
            answer = Answer(reason="exporter_failed")
        self.taken += answer.taken
        if answer.taken < len(batch):
            self.drop(answer.reason, len(batch) - answer.taken)

    def _insist(self, send: Sending) -> Answer:
        """Send until there is an answer to keep, or time is up."""
        pause, give_up = self._patience.first, time.monotonic() + self._patience.give_up
        while True:
            left = self._deadline - time.monotonic()
            answer = send(None if left == float("inf") else max(left, 0.01))
            if not answer.again:
                return answer
            wait = pause * uniform(0.8, 1.2) if answer.after is None else answer.after
            if self._closing.is_set():
                wait = max(self._patience.last, answer.after or 0.0)
            if time.monotonic() + wait > min(give_up, self._deadline):
                return Answer(reason="closed" if self._closing.is_set() else answer.reason)
            self._pause(wait)
            pause = min(2 * pause, self._patience.longest)

    def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until closing begins."""
        if self._closing.is_set():
            time.sleep(seconds)
        else:
            self._closing.wait(seconds)
