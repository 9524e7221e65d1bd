"""Turns facts into samples. Runs on the loop's thread; see `metrics/series.py` on threads.

What happens to each job costs two look-ups an event: the method by the event's type, and the series of this
queue, job, module and tenant, all found at once.
"""

from collections.abc import Callable
from math import inf
from typing import Any

from penstock.engine.attempt import Attempt
from penstock.engine.events import (
    Event,
    JobEnqueued,
    JobsReleased,
    LeaseLost,
    LoopCrashed,
    ObserverFailed,
    SettlementRefused,
    StoreDown,
    WorkersReaped,
    WorkerStarted,
    WorkerStopped,
)
from penstock.engine.outcome import Outcome, outcome_name
from penstock.telemetry.facts import RequestServed
from penstock.telemetry.ledger import JobsToTell
from penstock.telemetry.metrics.children import Counter
from penstock.telemetry.metrics.families import JobMetrics, Metrics
from penstock.telemetry.metrics.series import CounterChild
from penstock.telemetry.scope import current_scope

UNMATCHED = "__unmatched__"
"""The `route` of requests that matched none: paths are the world's to choose, labels are not."""


class JobSeries:
    """All series of one job, so that an event looks for them once."""

    __slots__ = ("_finished", "_jobs", "_labels", "_statuses", "late", "late_after", "run", "started", "wait")

    def __init__(self, jobs: JobMetrics, labels: tuple[str, ...], late_after: float | None) -> None:
        """`labels` are queue, job and module, and the tenant where it is one.

        `late_after` are the seconds that its queue's objective allows it to wait, None where there is none.
        """
        self._jobs = jobs
        self.late_after = inf if late_after is None else late_after
        self.late = CounterChild("") if late_after is None else jobs.late.labels(labels[0])
        self._labels = labels
        self._finished: dict[type[Outcome | None], CounterChild] = {}
        self.started = jobs.started.labels(*labels)
        self.wait = jobs.wait.labels(*labels[:3])
        self.run = jobs.run.labels(*labels[:3])

    def finished(self, outcome: Outcome | None) -> CounterChild:
        """The series of attempts that ended like this one."""
        return self._finished.get(type(outcome)) or self._resolve(outcome)

    @property
    def keeps(self) -> bool:
        """Whether all of them are this job's own; shared ones are looked up, and counted, each time."""
        jobs = self._jobs
        return not (
            jobs.started.shared(self.started)
            or jobs.wait.shared(self.wait)
            or jobs.run.shared(self.run)
            or jobs.late.shared(self.late)
        )

    def _resolve(self, outcome: Outcome | None) -> CounterChild:
        status = "unknown" if outcome is None else outcome_name(outcome)
        child = self._jobs.finished.labels(*self._labels, status)
        if not self._jobs.finished.shared(child):
            self._finished[type(outcome)] = child
        return child


class MetricsObserver:
    """Counts each fact."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._tenant_label = metrics.tenant_label
        self._started = metrics.jobs.started
        self._finished = metrics.jobs.finished
        self._busy = metrics.worker.slots.labels("busy")
        self._free = metrics.worker.slots.labels("free")
        self._concurrency: dict[str, int] = {}  # of the workers of this process, by id
        self._series: dict[tuple[str, ...], JobSeries] = {}
        self._methods: dict[type, Callable[[Any], None]] = {
            JobsToTell: self._about_jobs,
            JobEnqueued: self._job_enqueued,
            RequestServed: self._request_served,
            WorkerStarted: self._worker_started,
            WorkerStopped: self._worker_stopped,
            SettlementRefused: self._settlement_refused,
            WorkersReaped: self._workers_reaped,
            JobsReleased: self._jobs_released,
            LeaseLost: self._lease_lost,
            LoopCrashed: self._loop_crashed,
            ObserverFailed: self._observer_failed,
            StoreDown: self._store_down,
        }
        self.hears = frozenset(self._methods)

    def __call__(self, event: Event | RequestServed | JobsToTell) -> None:
        self._methods[type(event)](event)

    def _about_jobs(self, batch: JobsToTell) -> None:
        busy = 0
        for told in batch.entries:
            attempt, exemplar, when = told.attempt, told.scope.exemplar, told.started / 1e9
            series = self._series_of(attempt, self._started if told.begins else self._finished)
            if told.begins:
                busy += 1
                series.started.value += 1
                if attempt.waited > series.late_after:
                    series.late.value += 1
                # Clocks of two machines may disagree by a little.
                series.wait.observe(max(attempt.waited, 0.0), exemplar, when)
            if told.ended:
                busy -= 1
                if told.begins and self._tenant_label:  # an overflow is counted by the metric that has it
                    series = self._series_of(attempt, self._finished)
                series.finished(attempt.outcome).value += 1
                series.run.observe(told.seconds, exemplar, when)
        self._busy.value += busy
        self._free.value -= busy

    def _series_of(self, attempt: Attempt, counted: Counter) -> JobSeries:
        labels: tuple[str, ...] = (attempt.queue, attempt.job, attempt.module)
        if self._tenant_label:
            labels = (*labels, self._metrics.tenants.label(attempt.tenant, counted))
        return self._series.get(labels) or self._look_up(labels)

    def _look_up(self, labels: tuple[str, ...]) -> JobSeries:
        series = JobSeries(self._metrics.jobs, labels, self._metrics.objectives.waits.get(labels[0]))
        if series.keeps:
            self._series[labels] = series
        return series

    def _job_enqueued(self, event: JobEnqueued) -> None:
        enqueued = self._metrics.submissions.enqueued
        module = event.job.rpartition(".")[0]
        duplicate = "true" if event.duplicate else "false"
        if self._tenant_label:
            tenant = self._metrics.tenants.label(event.tenant, enqueued)
            enqueued.labels(event.queue, event.job, module, tenant, duplicate).inc()
        else:
            enqueued.labels(event.queue, event.job, module, duplicate).inc()

    def _request_served(self, event: RequestServed) -> None:
        labels = (event.method, event.route or UNMATCHED, str(event.status))
        self._metrics.http.requests.labels(*labels).inc()
        self._metrics.http.seconds.labels(*labels).observe(event.seconds, current_scope().exemplar)

    def _worker_started(self, event: WorkerStarted) -> None:
        self._free.value += event.concurrency - self._concurrency.pop(event.worker, 0)
        self._concurrency[event.worker] = event.concurrency
        for queue in event.queues:
            self._begin_at_zero(queue)

    def _begin_at_zero(self, queue: str) -> None:
        """Show what alerts wait for before it happens: the first count of a new series is no increase."""
        worker = self._metrics.worker
        worker.lease_lost.labels(queue)
        for result in ("returned", "dead"):
            worker.reaped.labels(queue, result)
        if queue in self._metrics.objectives.waits:
            self._metrics.jobs.late.labels(queue)

    def _worker_stopped(self, event: WorkerStopped) -> None:
        self._free.value -= self._concurrency.pop(event.worker, 0)

    def _settlement_refused(self, event: SettlementRefused) -> None:
        self._metrics.worker.refused.labels(event.queue).inc()

    def _workers_reaped(self, event: WorkersReaped) -> None:
        reaped = self._metrics.worker.reaped
        reaped.labels(event.queue, "returned").inc(event.returned)
        reaped.labels(event.queue, "dead").inc(len(event.dead))

    def _jobs_released(self, event: JobsReleased) -> None:
        self._metrics.worker.released.labels(event.queue, event.reason).inc(event.count)

    def _lease_lost(self, event: LeaseLost) -> None:
        self._metrics.worker.lease_lost.labels(event.queue).inc()

    def _loop_crashed(self, event: LoopCrashed) -> None:
        self._metrics.worker.loop_crashes.labels(event.loop).inc()

    def _store_down(self, event: StoreDown) -> None:
        self._metrics.worker.store_outages.labels(event.loop).inc()

    def _observer_failed(self, event: ObserverFailed) -> None:
        self._metrics.own.observers_dropped.labels(event.observer).inc()
