"""From facts to lines and samples."""

from typing import Any, get_args

import msgspec
import pytest

from penstock.engine import events as e
from penstock.engine.job import JobError
from penstock.engine.outcome import Cancelled, Dead, Expired, Lost, Outcome, Released, Retry, Succeeded
from penstock.telemetry.facts import RequestServed
from penstock.telemetry.ledger import Ledger
from penstock.telemetry.logs.lines import bound_fields
from penstock.telemetry.metrics.children import MAX_SERIES
from penstock.telemetry.metrics.families import MAX_TENANTS, Metrics
from penstock.telemetry.metrics.observer import MetricsObserver
from telemetry.rig import Rig, attempt

DONE = Succeeded(msgspec.Raw(b"\xc0"))
ERROR = JobError("builtins.KeyError", "'width'", "Traceback ...")

LINES: list[tuple[e.Event, str, dict[str, object]]] = [
    (
        e.JobEnqueued("media.1", "images.thumbnail", "media", "acme", duplicate=False),
        "debug",
        {"event": "job enqueued", "job_id": "media.1", "tenant_id": "acme", "duplicate": False},
    ),
    (e.JobStarted(attempt()), "debug", {"event": "job started", "waited": 0.5}),
    (e.JobFinished(attempt(outcome=DONE), 1.25), "info", {"outcome": "succeeded", "seconds": 1.25}),
    (e.Settled("media", 5, 1, 0.01), "debug", {"count": 5, "refused": 1}),
    (e.JobParked("media.1", "new.job", "media", "unknown_job"), "warning", {"job_id": "media.1"}),
    (e.SettlementRefused("media.1", "media", "w1"), "warning", {"job_id": "media.1", "worker": "w1"}),
    (e.LeaseLost("media", "w1", 3), "warning", {"queue": "media", "running": 3}),
    (e.JobsReleased("media", 2, "drain"), "info", {"count": 2, "reason": "drain"}),
    (e.WorkersReaped("media", ["w0"], 4, ["media.9"]), "warning", {"workers": ["w0"], "returned": 4}),
    (e.JobsPromoted("media", 7), "debug", {"count": 7}),
    (
        e.ScheduleFired("images.nightly", "media.1", "images.tidy", "media", 0.0, 0.25, missed=False),
        "debug",
        {"event": "schedule fired", "schedule": "images.nightly", "job_id": "media.1", "late": 0.25},
    ),
    (
        e.ScheduleSkipped("images.nightly", "images.tidy", "media", 0.0, "missed"),
        "warning",
        {"schedule": "images.nightly", "moment": "1970-01-01T00:00:00+00:00"},
    ),
    (e.WorkerStarted("w1", ["media"], 64), "info", {"event": "worker started", "concurrency": 64}),
    (e.WorkerDraining("w1", 3, 25.0), "info", {"event": "worker draining", "grace": 25.0}),
    (e.WorkerStopped("w1"), "info", {"event": "worker stopped"}),
    (e.StoreDown("fetcher", "refused"), "warning", {"loop": "fetcher", "error": "refused"}),
    (e.StoreUp("fetcher", 2.5), "warning", {"loop": "fetcher", "seconds": 2.5}),
    (e.LoopCrashed("reaper", ValueError("odd"), 1.0), "error", {"loop": "reaper", "delay": 1.0}),
    (
        e.EventSetAside("orders", "shop.ship", "e1", "DecodeError: odd"),
        "warning",
        {"topic": "orders", "handler": "shop.ship", "event_id": "e1", "error": "DecodeError: odd"},
    ),
    (e.CircuitOpened("h:443", 5, 30.0), "warning", {"host": "h:443", "failures": 5, "delay": 30.0}),
    (e.CircuitClosed("h:443", 6), "info", {"host": "h:443", "failures": 6}),
    (e.ObserverFailed("Mine", ValueError("odd")), "warning", {"observer": "Mine"}),
]
SILENT: list[e.Event] = [e.AttemptFailed(attempt(), ERROR, ValueError(), final=True)]
OUTCOMES: list[tuple[Outcome | None, str]] = [
    (DONE, "info"),
    (Retry(error=ERROR), "warning"),
    (Dead("no such customer"), "warning"),
    (Cancelled(), "info"),
    (Expired(), "warning"),
    (Released("shutdown"), "info"),
    (Lost(), "warning"),
    (None, "error"),
]


def observe(rig: Rig, *facts: Any) -> None:
    """Tell all observers, as the engine does; one that raises fails the test."""
    for fact in facts:
        for observer in rig.telemetry.observers():
            observer(fact)


def test_every_event_of_the_engine_is_tried_here() -> None:
    """A new event needs its line, or an entry here that says it has none."""
    tried = [*(event for event, _, _ in LINES), *SILENT]
    assert set(get_args(e.Event)) == set(map(type, tried))


@pytest.mark.parametrize("event", SILENT, ids=lambda event: type(event).__name__)
def test_what_another_line_has_told_has_none_of_its_own(rig: Rig, event: e.Event) -> None:
    """A failed attempt is told once, by the line of its end."""
    observe(rig, event)

    assert rig.lines() == []


@pytest.mark.parametrize(("event", "level", "fields"), LINES, ids=[type(line[0]).__name__ for line in LINES])
def test_each_event_has_its_line(rig: Rig, event: e.Event, level: str, fields: dict[str, object]) -> None:
    """One line, at its level, with the facts as fields."""
    observe(rig, event)

    (line,) = rig.lines()
    assert level == line["level"]
    assert fields == {key: line[key] for key in fields}


@pytest.mark.parametrize(("outcome", "level"), OUTCOMES, ids=[type(case[0]).__name__ for case in OUTCOMES])
def test_each_ending_has_its_line_and_its_status(rig: Rig, outcome: Outcome | None, level: str) -> None:
    """One line an attempt, graver where somebody should look, and one sample under the outcome's name."""
    observe(rig, e.JobFinished(attempt(outcome=outcome), 1.25))

    labels = {"queue": "media", "job": "images.thumbnail", "module": "images"}
    status = "unknown" if outcome is None else type(outcome).__name__.lower()
    assert rig.value("penstock_jobs_finished_total", **labels, status=status) == 1
    (line,) = rig.lines()
    assert (level, 1.25, 0.5) == (line["level"], line["seconds"], line["waited"])
    assert line["outcome"] == (None if outcome is None else status)


def test_a_failed_attempt_says_why(rig: Rig) -> None:
    """Class, message and the bounded traceback; or the reason that the handler gave."""
    observe(
        rig,
        e.JobFinished(attempt(outcome=Retry(error=ERROR)), 1.0),
        e.JobFinished(attempt(outcome=Dead("no such customer")), 1.0),
    )

    retry, dead = rig.lines()
    assert (
        retry["error_type"],
        retry["error"],
        retry["exception"],
    ) == ("builtins.KeyError", "'width'", "Traceback ...")
    assert dead["reason"] == "no such customer"


def test_jobs_are_counted_through_their_life(rig: Rig) -> None:
    """Enqueued, started, waited, ran, finished: labelled by queue, job and module."""
    this = attempt()
    observe(
        rig,
        e.JobEnqueued("media.1", "images.thumbnail", "media", None, duplicate=False),
        e.JobEnqueued("media.1", "images.thumbnail", "media", None, duplicate=True),
        e.JobStarted(this),
    )
    this.outcome = DONE
    observe(rig, e.JobFinished(this, 2.0))

    labels = {"queue": "media", "job": "images.thumbnail", "module": "images"}
    assert rig.value("penstock_jobs_enqueued_total", **labels, duplicate="true") == 1
    assert rig.value("penstock_jobs_started_total", **labels) == 1
    assert tuple(rig.value("penstock_job_wait_seconds", **labels)[key] for key in ("sum", "count")) == (
        0.5,
        1,
    )
    assert tuple(rig.value("penstock_job_run_seconds", **labels)[key] for key in ("sum", "count")) == (2.0, 1)


def test_a_wait_is_never_negative(rig: Rig) -> None:
    """Clocks of two machines differ; a histogram's sum may not shrink."""
    observe(rig, e.JobStarted(attempt(waited=-0.001)))

    labels = {"queue": "media", "job": "images.thumbnail", "module": "images"}
    assert rig.value("penstock_job_wait_seconds", **labels)["sum"] == 0


def test_samples_of_a_job_lead_to_its_trace(rig: Rig) -> None:
    """The exemplar is the trace of the attempt that was observed."""
    this = attempt(outcome=DONE)
    with rig.telemetry.around_attempt(this):
        observe(rig, e.JobStarted(this), e.JobFinished(this, 2.0))

    rig.telemetry.tell()
    run = rig.telemetry.metrics.jobs.run.labels("media", "images.thumbnail", "images")
    (exemplar,) = [kept for kept in run.exemplars if kept is not None]
    assert this.trace is not None
    assert (this.trace.traceparent.split("-")[1], 2.0) == exemplar[:2]


def test_slots_are_free_or_busy(rig: Rig) -> None:
    """Concurrency less what runs; a worker that stops takes its slots along."""

    def slots() -> tuple[float, float]:
        busy, free = (rig.value("penstock_worker_slots", state=state) for state in ("busy", "free"))
        return busy, free

    observe(rig, e.WorkerStarted("w1", ["media"], 64), e.JobStarted(attempt()))
    assert slots() == (1, 63)
    observe(rig, e.JobFinished(attempt(outcome=DONE), 1.0), e.WorkerStopped("w1"))
    assert slots() == (0, 0)


def test_trouble_is_counted(rig: Rig) -> None:
    """Each kind where an alert looks for it."""
    observe(rig, *(event for event, _, _ in LINES))

    assert rig.value("penstock_settlements_refused_total", queue="media") == 1
    assert rig.value("penstock_lease_lost_total", queue="media") == 1
    assert rig.value("penstock_jobs_released_total", queue="media", reason="drain") == 2
    assert rig.value("penstock_jobs_reaped_total", queue="media", result="returned") == 4
    assert rig.value("penstock_jobs_reaped_total", queue="media", result="dead") == 1
    assert rig.value("penstock_loop_crashes_total", loop="reaper") == 1
    assert rig.value("penstock_store_outages_total", loop="fetcher") == 1
    assert rig.value("penstock_telemetry_observers_dropped_total", observer="Mine") == 1


def test_the_tenant_is_a_label_only_where_asked_for() -> None:
    """Tenants may be many; whoever has few may count by them."""
    rig = Rig(tenant_label=True)
    observe(
        rig,
        e.JobEnqueued("media.1", "images.thumbnail", "media", "acme", duplicate=False),
        e.JobStarted(attempt(tenant="acme")),
        e.JobStarted(attempt()),
        e.JobFinished(attempt(tenant="acme", outcome=DONE), 1.0),
    )

    labels = {"queue": "media", "job": "images.thumbnail", "module": "images"}
    assert rig.value("penstock_jobs_enqueued_total", **labels, tenant_id="acme", duplicate="false") == 1
    assert rig.value("penstock_jobs_started_total", **labels, tenant_id="acme") == 1
    assert rig.value("penstock_jobs_started_total", **labels, tenant_id="") == 1
    assert rig.value("penstock_jobs_finished_total", **labels, tenant_id="acme", status="succeeded") == 1
    assert rig.value("penstock_job_wait_seconds", **labels)["count"] == 2
    rig.lines()


def test_only_so_many_tenants_have_series() -> None:
    """The rest share `__other__` in that label alone: queue, job and module are still told, and the overflow
    is counted sample by sample."""
    metrics = Metrics(tenant_label=True)
    count = Ledger(MetricsObserver(metrics), bound=bound_fields)
    for number in range(MAX_TENANTS + 5):
        count(e.JobStarted(attempt(tenant=f"t{number}")))
    count(e.JobStarted(attempt(tenant="t0")))
    count.tell()

    labels = {"queue": "media", "job": "images.thumbnail", "module": "images"}
    started = metrics.jobs.started
    overflow = metrics.registry.get("penstock_telemetry_label_overflow_total")
    assert len(started.children()) == MAX_TENANTS + 1
    assert started.get({**labels, "tenant_id": "t0"}) == 2
    assert started.get({**labels, "tenant_id": "__other__"}) == 5
    assert overflow.get({"metric": "penstock_jobs_started_total"}) == 5


def test_jobs_past_the_cap_are_still_counted() -> None:
    """However many jobs there are, memory is bounded, no sample is lost, and each that shares is counted."""
    metrics = Metrics()
    observer = MetricsObserver(metrics)
    count = Ledger(observer, bound=bound_fields)
    for number in [*range(MAX_SERIES + 2), MAX_SERIES + 1]:
        this = attempt(job=f"images.job{number}", outcome=DONE)
        count(e.JobStarted(this))
        count(e.JobFinished(this, 1.0))
    count.tell()

    overflow = metrics.registry.get("penstock_telemetry_label_overflow_total")
    for family in (metrics.jobs.started, metrics.jobs.finished):
        assert sum(child.value for child in family.children()) == MAX_SERIES + 3
        assert len(family.children()) == MAX_SERIES + 1
    assert sum(child.observations for child in metrics.jobs.run.children()) == MAX_SERIES + 3
    assert overflow.get({"metric": "penstock_jobs_finished_total"}) == 3
    assert len(observer._series) == MAX_SERIES


def test_a_request_is_counted_by_its_route(rig: Rig) -> None:
    """What matched no route is one series, whatever paths the world tries."""
    for route in ("/v1/jobs/{id}", None):
        for observer in rig.telemetry.observers():
            observer(RequestServed(method="GET", route=route, status=200, seconds=0.1))  # type: ignore[arg-type]

    for route in ("/v1/jobs/{id}", "__unmatched__"):
        labels = {"method": "GET", "route": route, "status": "200"}
        assert rig.value("penstock_http_requests_total", **labels) == 1
        assert rig.value("penstock_http_request_seconds", **labels)["count"] == 1


def test_a_parked_job_is_warned_of_once_by_name(rig: Rig) -> None:
    """It comes again every few seconds: the log warns of each name once, the rest is for debugging."""
    jobs = ["new.job"] * 5 + ["other.job"]
    observe(rig, *(e.JobParked("media.1", job, "media", "unknown_job") for job in jobs))

    assert [line["job"] for line in rig.lines() if line["level"] == "warning"] == ["new.job", "other.job"]
