"""Facts about jobs are told a batch at a time, and nothing about them is different for it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import structlog
import trio
from trio.testing import MockClock

from penstock.engine import events as e
from penstock.engine.outcome import Dead, Succeeded
from penstock.telemetry.ledger import AT_ONCE, JobsToTell, Ledger
from telemetry.rig import Rig, attempt

DONE = Succeeded(msgspec.Raw(b"\xc0"))
LABELS = {"queue": "media", "job": "images.thumbnail", "module": "images"}


class Teller:
    """Keeps what it is told; raises instead if asked to."""

    def __init__(self, *, raises: bool = False) -> None:
        self.told: list[Any] = []
        self._raises = raises

    def __call__(self, event: Any) -> None:
        if self._raises and isinstance(event, JobsToTell):
            raise RuntimeError("broken")
        self.told.append(event)

    @property
    def batches(self) -> list[int]:
        return [len(event.entries) for event in self.told if isinstance(event, JobsToTell)]


def run(ledger: Ledger, times: int = 1) -> None:
    for _ in range(times):
        this = attempt()
        ledger(e.JobStarted(this))
        this.outcome = DONE
        ledger(e.JobFinished(this, 1.0))


def nothing_bound() -> None: ...


def test_a_batch_is_told_when_it_is_full() -> None:
    """Not before, and what is over waits for the next."""
    teller = Teller()
    ledger = Ledger(teller, bound=nothing_bound)
    run(ledger, AT_ONCE - 1)
    assert teller.told == []
    run(ledger, 2)

    assert teller.batches == [AT_ONCE]
    ledger.tell()
    assert teller.batches == [AT_ONCE, 1]


@pytest.mark.parametrize(
    "event", [e.Settled("media", 1, 0, 0.001), e.WorkerStopped("w1"), e.StoreDown("x", "y")]
)
def test_whatever_else_happens_is_told_after_it(event: e.Event) -> None:
    """In the order in which it happened; so nothing waits longer than until its settlement."""
    teller = Teller()
    ledger = Ledger(teller, bound=nothing_bound)
    run(ledger)
    ledger(event)

    assert teller.batches == [1]
    assert teller.told[-1] is event


def test_a_submission_makes_nothing_hurry() -> None:
    """A job may submit a thousand others."""
    teller = Teller()
    ledger = Ledger(teller, bound=nothing_bound)
    run(ledger)
    ledger(e.JobEnqueued("media.1", "images.thumbnail", "media", None, duplicate=False))

    assert teller.batches == []


def test_one_that_raises_takes_no_other_with_it() -> None:
    """It is dropped, as an observer is, and the others are told."""
    broken, whole = Teller(raises=True), Teller()
    ledger = Ledger(broken, whole, bound=nothing_bound)
    for _ in range(2):
        run(ledger)
        ledger.tell()

    assert whole.batches == [1, 1]
    assert [event.observer for event in whole.told if isinstance(event, e.ObserverFailed)] == ["Teller"]
    assert broken.told == []


def test_a_line_that_is_written_later_is_as_if_it_had_not(rig: Rig) -> None:
    """Time, ids and what the author had bound are of the moment when it happened, not of later."""
    [observe] = rig.telemetry.observers()
    first, second = attempt("media.1"), attempt("media.2")
    before = datetime.now(UTC)
    with rig.telemetry.around_attempt(first) as scope, structlog.contextvars.bound_contextvars(order=17):
        first.outcome = Dead("no such customer")
        observe(e.JobFinished(first, 1.0))
    after = datetime.now(UTC)
    with rig.telemetry.around_attempt(second), rig.telemetry.tracing.tracer.start_as_current_span("within"):
        observe(e.WorkerStopped("w1"))

    [line, _] = rig.lines()
    assert (line["job_id"], line["order"]) == ("media.1", 17)
    assert (line["trace_id"], line["span_id"]) == (scope.fields["trace_id"], scope.fields["span_id"])
    assert before <= datetime.fromisoformat(line["timestamp"]) <= after


async def test_a_scrape_shows_what_has_happened_until_then(rig: Rig) -> None:
    """Whoever counts needs not wait for a batch to be full."""
    [observe] = rig.telemetry.observers()
    observe(e.JobStarted(attempt()))
    for before_scrape in rig.telemetry.metrics.before_scrape:
        before_scrape()

    assert rig.telemetry.metrics.registry.get("penstock_jobs_started_total").get(LABELS) == 1


def test_a_wait_is_shown_while_the_job_runs(rig: Rig) -> None:
    """With the next batch, once: a job that hangs or dies with its worker has its `wait` span too."""
    this = attempt(headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    [observe] = rig.telemetry.observers()
    with rig.telemetry.around_attempt(this):
        observe(e.JobStarted(this))
        assert rig.finished.get_finished_spans() == ()
        observe(e.Settled("media", 0, 0, 0.001))
        assert [span.name for span in rig.finished.get_finished_spans()] == ["wait media"]
        this.outcome = DONE
        observe(e.JobFinished(this, 1.0))
    rig.telemetry.tell()

    assert [span.name for span in rig.finished.get_finished_spans()] == ["wait media", "process media"]


def test_a_job_whose_worker_tells_nobody_has_its_wait_too(rig: Rig) -> None:
    """Where only the seam is used, and no observer."""
    this = attempt(headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    with rig.telemetry.around_attempt(this):
        this.outcome = DONE

    assert [span.name for span in rig.finished.get_finished_spans()] == ["wait media", "process media"]


async def test_a_job_that_runs_long_is_told_of_soon(rig: Rig, autojump_clock: MockClock) -> None:
    """Though nothing else happens: whoever reads the log at level debug sees that it has started."""
    [observe] = rig.telemetry.observers()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.telemetry.watch)
        observe(e.JobStarted(attempt()))
        await trio.sleep(0.75)  # the clock's
        started = rig.telemetry.metrics.registry.get("penstock_jobs_started_total")
        assert started.get(LABELS) == 1
        nursery.cancel_scope.cancel()
