"""The buffer of finished spans and the thread behind it: bounded, counted, patient, and never in the way."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from penstock.telemetry.export.thread import Answer, ExportThread, Limits, Patience, Sending

SOON = 5.0  # seconds; a bound, not a wait
NEVER = 3_600.0
QUICK = Patience(first=0.001, longest=0.002, give_up=NEVER, last=0.001)


class Sink:
    """Takes batches in the thread's name; what it answers is up to the test."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.prepared = 0
        self.timeouts: list[float | None] = []
        self.closed = threading.Event()
        self.called = threading.Event()
        self.free = threading.Event()
        self.free.set()
        self.answer: Callable[[list[str]], Answer] = lambda batch: Answer(taken=len(batch))

    def prepare(self, batch: list[str]) -> Sending:
        self.prepared += 1

        def send(timeout: float | None) -> Answer:
            self.batches.append(batch)
            self.timeouts.append(timeout)
            self.called.set()
            self.free.wait()
            return self.answer(batch)

        return send

    def close(self) -> None:
        self.closed.set()


@contextmanager
def exporting(sink: Sink, limits: Limits, patience: Patience = QUICK) -> Generator[ExportThread[str]]:
    """A thread that hands over to `sink`; let go and closed at the end."""
    thread = ExportThread(sink, limits, patience)
    try:
        yield thread
    finally:
        sink.free.set()
        thread.close(SOON)


def put(thread: ExportThread[str], *items: str) -> None:
    """Ten bytes each, ended now."""
    for item in items:
        thread.put(time.time_ns(), 10, item)


def held(sink: Sink, thread: ExportThread[str]) -> None:
    """Have one span in the hands of a sink that does not answer."""
    sink.free.clear()
    put(thread, "in hand")
    assert not thread.flush(0.0)
    assert sink.called.wait(SOON)


def test_a_batch_leaves_when_it_is_full() -> None:
    """Nobody has to wait for the delay; order is kept."""
    sink = Sink()
    with exporting(sink, Limits(batch=2, delay=NEVER)) as thread:
        put(thread, "a", "b", "c")
        assert thread.flush(SOON)

        assert sink.batches == [["a", "b"], ["c"]]
        assert (thread.taken, thread.waiting, dict(thread.dropped)) == (3, 0, {})
        assert sink.timeouts == [None, None]


def test_a_full_batch_leaves_alone() -> None:
    """What has begun to fill the next one waits for company."""
    sink = Sink()
    with exporting(sink, Limits(batch=2, delay=NEVER)) as thread:
        put(thread, "a", "b", "c")
        assert sink.called.wait(SOON)
        put(thread, "d")
        assert thread.flush(SOON)

        assert sink.batches == [["a", "b"], ["c", "d"]]


def test_what_is_few_leaves_after_the_delay() -> None:
    """A span that has no company does not wait for ever."""
    sink = Sink()
    with exporting(sink, Limits(delay=0.01)) as thread:
        put(thread, "alone")

        assert sink.called.wait(SOON)
        assert sink.batches == [["alone"]]


def test_a_batch_leaves_when_it_is_large() -> None:
    """Few spans that are large leave in small requests, which a collector takes."""
    sink = Sink()
    with exporting(sink, Limits(batch=1_000, batch_bytes=25, delay=NEVER)) as thread:
        put(thread, "a", "b", "c", "d")
        assert thread.flush(SOON)

        assert sink.batches == [["a", "b", "c"], ["d"]]


def test_what_finds_no_room_is_dropped_and_counted() -> None:
    """The newest: three wait, one is in hand, the others are lost."""
    sink = Sink()
    with exporting(sink, Limits(spans=3, batch=2, delay=NEVER)) as thread:
        held(sink, thread)
        put(thread, "a", "b", "c", "d", "e")

        assert dict(thread.dropped) == {"queue_full": 2}
        assert thread.waiting == 4
        sink.free.set()
        assert thread.flush(SOON)
        assert sink.batches == [["in hand"], ["a", "b"], ["c"]]


def test_the_bytes_that_wait_are_bounded_too() -> None:
    """Thirty-five bytes are room for three spans of ten; what left makes room again."""
    sink = Sink()
    with exporting(sink, Limits(bytes=35, delay=NEVER)) as thread:
        held(sink, thread)
        put(thread, "a", "b", "c", "d")

        assert dict(thread.dropped) == {"queue_full": 1}
        sink.free.set()
        assert thread.flush(SOON)
        put(thread, "e")
        assert thread.flush(SOON)
        assert [item for batch in sink.batches for item in batch] == ["in hand", "a", "b", "c", "e"]


def test_puts_from_several_threads_lose_nothing() -> None:
    """Everything arrives once, and each thread's own in its order."""
    sink = Sink()
    with exporting(sink, Limits(batch=64, delay=0.001)) as thread:
        threads = [
            threading.Thread(target=put, args=(thread, *(f"{name}{number:04d}" for number in range(2_000))))
            for name in "abcd"
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert thread.flush(SOON)

        came = [item for batch in sink.batches for item in batch]
        assert len(came) == thread.taken == 8_000
        for name in "abcd":
            assert [item for item in came if item[0] == name] == [f"{name}{n:04d}" for n in range(2_000)]


def test_flush_waits_for_what_was_put_before_only() -> None:
    """Others that go on putting cannot hold it up."""
    sink = Sink()

    with exporting(sink, Limits(batch=1, delay=NEVER)) as thread:

        def one_more(batch: list[str]) -> Answer:
            put(thread, "more")
            return Answer(taken=1)

        sink.answer = one_more
        put(thread, "first")

        assert thread.flush(SOON)
        sink.answer = lambda batch: Answer(taken=1)


def test_flush_gives_up_after_its_time() -> None:
    """It says so, and does not wait for a sink that hangs."""
    sink = Sink()
    with exporting(sink, Limits(delay=NEVER)) as thread:
        held(sink, thread)

        assert not thread.flush(0.01)


def test_lag_is_the_age_of_the_oldest_that_waits() -> None:
    """In hand, in a full batch or in one that fills; zero where nothing waits."""
    sink = Sink()
    with exporting(sink, Limits(batch=1, delay=NEVER)) as thread:
        assert thread.lag == 0.0
        sink.free.clear()
        thread.put(time.time_ns() - 50 * 10**9, 10, "old")
        thread.put(time.time_ns(), 10, "young")
        assert sink.called.wait(SOON)
        assert 50 <= thread.lag < 100

        sink.free.set()
        assert thread.flush(SOON)
        assert thread.lag == 0.0


def test_a_batch_is_tried_again_and_encoded_once() -> None:
    """The same spans, until they are taken."""
    sink = Sink()
    answers = iter([Answer(again=True, reason="unavailable")] * 3)
    sink.answer = lambda batch: next(answers, Answer(taken=len(batch)))
    with exporting(sink, Limits(delay=NEVER)) as thread:
        put(thread, "a", "b")
        assert thread.flush(SOON)

        assert sink.batches == [["a", "b"]] * 4
        assert sink.prepared == 1
        assert (thread.taken, dict(thread.dropped)) == (2, {})


def test_pauses_grow_to_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doubled each time, spread by a fifth; what the other side asks for is kept to."""
    pauses: list[float] = []

    def note(self: object, seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(ExportThread, "_pause", note)
    sink = Sink()
    answers = iter([Answer(again=True)] * 4 + [Answer(again=True, after=7.0)])
    sink.answer = lambda batch: next(answers, Answer(taken=1))
    with exporting(sink, Limits(delay=NEVER), Patience()) as thread:
        put(thread, "a")
        assert thread.flush(SOON)

    *growing, asked = pauses
    assert asked == 7.0
    for pause, middle in zip(growing, (0.5, 1.0, 2.0, 4.0), strict=True):
        assert 0.8 * middle <= pause <= 1.2 * middle


def test_a_batch_that_nobody_takes_is_given_up() -> None:
    """Counted as unavailable; the next one is tried."""
    sink = Sink()
    sink.answer = lambda batch: (
        Answer(again=True, reason="unavailable") if batch == ["a"] else Answer(taken=1)
    )
    with exporting(sink, Limits(batch=1, delay=NEVER), Patience(first=0.001, give_up=0.02)) as thread:
        put(thread, "a", "b")
        assert thread.flush(SOON)

        assert (thread.taken, dict(thread.dropped)) == (1, {"unavailable": 1})
        assert len(sink.batches) > 2


def test_a_pause_that_is_longer_than_the_patience_is_not_begun() -> None:
    """A collector that asks for an hour loses the batch now, not in an hour."""
    sink = Sink()
    sink.answer = lambda batch: Answer(again=True, reason="unavailable", after=NEVER)
    with exporting(sink, Limits(delay=NEVER), Patience(give_up=60.0)) as thread:
        put(thread, "a")

        assert thread.flush(SOON)
        assert dict(thread.dropped) == {"unavailable": 1}


def test_what_is_rejected_is_counted_by_reason() -> None:
    """One of three is taken, two are not; nothing is tried again."""
    sink = Sink()
    sink.answer = lambda batch: Answer(taken=1, reason="rejected")
    with exporting(sink, Limits(delay=NEVER)) as thread:
        put(thread, "a", "b", "c")
        assert thread.flush(SOON)

        assert (thread.taken, dict(thread.dropped), len(sink.batches)) == (1, {"rejected": 2}, 1)


@pytest.mark.parametrize("where", ["prepare", "send"])
def test_a_sender_that_raises_costs_one_batch(where: str) -> None:
    """A defect must not end the thread: the batch is counted, and the next one leaves."""
    sink = Sink()

    def sound(batch: list[str]) -> list[str]:
        if "poison" in batch:
            raise RuntimeError("a defect")
        return batch

    if where == "send":
        sink.answer = lambda batch: Answer(taken=len(sound(batch)))
    else:
        prepare = sink.prepare
        sink.prepare = lambda batch: prepare(sound(batch))  # type: ignore[method-assign]
    with exporting(sink, Limits(batch=1, delay=NEVER)) as thread:
        put(thread, "poison", "sound")
        assert thread.flush(SOON)

        assert (thread.taken, dict(thread.dropped)) == (1, {"exporter_failed": 1})


def test_close_hands_over_what_waits() -> None:
    """And lets the connections go; twice is no trouble."""
    sink = Sink()
    thread = ExportThread(sink, Limits(batch=2, delay=NEVER))
    put(thread, "a", "b", "c")

    assert thread.close(SOON)
    assert thread.close(SOON)
    assert sink.batches == [["a", "b"], ["c"]]
    assert sink.closed.is_set()
    assert all(timeout is None or timeout <= SOON for timeout in sink.timeouts)


def test_close_is_bounded_where_the_other_side_hangs() -> None:
    """The time is up, something was lost, and whoever closes goes on."""
    sink = Sink()
    with exporting(sink, Limits(delay=NEVER)) as thread:
        held(sink, thread)
        began = time.monotonic()

        assert not thread.close(0.05)
        assert time.monotonic() - began < SOON


def test_close_is_bounded_where_nobody_takes_anything() -> None:
    """It is tried until the time is up; what is left is counted."""
    sink = Sink()
    sink.answer = lambda batch: Answer(again=True, reason="unavailable")
    thread = ExportThread(sink, Limits(batch=1, delay=NEVER), QUICK)
    put(thread, "a", "b")

    assert not thread.close(0.1)
    assert sink.closed.wait(SOON)
    assert dict(thread.dropped) == {"closed": 2}
    assert thread.waiting == 0
    assert len(sink.batches) > 1


def test_close_ends_a_pause() -> None:
    """A batch that would wait an hour for its next turn is tried at once, a last time."""
    sink = Sink()
    answers = iter([Answer(again=True, after=NEVER)])
    sink.answer = lambda batch: next(answers, Answer(taken=1))
    with exporting(sink, Limits(batch=1, delay=NEVER), Patience(give_up=2 * NEVER)) as thread:
        put(thread, "a")
        assert sink.called.wait(SOON)

        assert thread.close(SOON)
        assert sink.batches == [["a"], ["a"]]


def test_what_comes_after_close_is_counted() -> None:
    """Nobody would ever take it."""
    sink = Sink()
    thread = ExportThread(sink, Limits(delay=NEVER))
    assert thread.close(SOON)
    put(thread, "late")

    assert dict(thread.dropped) == {"closed": 1}
    assert thread.waiting == 0


def test_a_sink_that_cannot_be_closed_is_no_trouble() -> None:
    """All that matters has left by then."""

    class Stubborn(Sink):
        def close(self) -> None:
            super().close()
            raise RuntimeError("cannot be closed")

    sink = Stubborn()
    thread = ExportThread(sink, Limits(delay=NEVER))
    put(thread, "a")

    assert thread.close(SOON)
    assert sink.closed.is_set()
