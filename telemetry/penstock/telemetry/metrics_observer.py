"""Turns facts into samples. Runs on the loop's thread; see `children.py` on threads."""

from penstock.engine.attempt import Attempt
from penstock.engine.events import (
    Event,
    JobEnqueued,
    JobFinished,
    JobsReleased,
    JobStarted,
    LeaseLost,
    LoopCrashed,
    ObserverFailed,
    SettlementRefused,
    WorkersReaped,
    WorkerStarted,
    WorkerStopped,
)
from penstock.engine.outcome import outcome_name
from penstock.telemetry.facts import RequestServed
from penstock.telemetry.metrics import Metrics
from penstock.telemetry.scope import current_scope

UNMATCHED = "__unmatched__"
"""The `route` of requests that matched none: paths are the world's to choose, labels are not."""


class MetricsObserver:
    """Counts each fact."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._tenant_label = metrics.tenant_label
        self._busy = metrics.worker.slots.labels("busy")
        self._free = metrics.worker.slots.labels("free")
        self._concurrency: dict[str, int] = {}  # of the workers of this process, by id

    def __call__(self, event: Event | RequestServed) -> None:
        match event:
            case JobStarted(attempt):
                self._job_started(attempt)
            case JobFinished(attempt, seconds):
                self._job_finished(attempt, seconds)
            case JobEnqueued():
                self._job_enqueued(event)
            case RequestServed():
                self._request_served(event)
            case WorkerStarted() | WorkerStopped():
                self._slots(event)
            case ObserverFailed(observer, _):
                self._metrics.own.observers_dropped.labels(observer).inc()
            case _:
                self._about_the_worker(event)

    def _job_started(self, attempt: Attempt) -> None:
        jobs = self._metrics.jobs
        labels = (attempt.queue, attempt.job, attempt.module)
        jobs.started.labels(*labels, *self._tenant(attempt.tenant)).inc()
        # Clocks of two machines may disagree by a little; a job cannot have waited less than nothing.
        jobs.wait.labels(*labels).observe(max(attempt.waited, 0.0), current_scope().exemplar)
        self._busy.value += 1
        self._free.value -= 1

    def _job_finished(self, attempt: Attempt, seconds: float) -> None:
        jobs = self._metrics.jobs
        labels = (attempt.queue, attempt.job, attempt.module)
        status = "unknown" if attempt.outcome is None else outcome_name(attempt.outcome)
        jobs.finished.labels(*labels, *self._tenant(attempt.tenant), status).inc()
        jobs.run.labels(*labels).observe(seconds, current_scope().exemplar)
        self._busy.value -= 1
        self._free.value += 1

    def _job_enqueued(self, event: JobEnqueued) -> None:
        module = event.job.rpartition(".")[0]
        tenant = self._tenant(event.tenant)
        duplicate = "true" if event.duplicate else "false"
        self._metrics.jobs.enqueued.labels(event.queue, event.job, module, *tenant, duplicate).inc()

    def _request_served(self, event: RequestServed) -> None:
        labels = (event.method, event.route or UNMATCHED, str(event.status))
        self._metrics.http.requests.labels(*labels).inc()
        self._metrics.http.seconds.labels(*labels).observe(event.seconds, current_scope().exemplar)

    def _slots(self, event: WorkerStarted | WorkerStopped) -> None:
        concurrency = event.concurrency if isinstance(event, WorkerStarted) else 0
        self._free.value += concurrency - self._concurrency.pop(event.worker, 0)
        if concurrency:
            self._concurrency[event.worker] = concurrency

    def _about_the_worker(self, event: Event) -> None:
        worker = self._metrics.worker
        match event:
            case SettlementRefused(_, queue, _):
                worker.refused.labels(queue).inc()
            case WorkersReaped(queue, _, returned, dead):
                worker.reaped.labels(queue, "returned").inc(returned)
                worker.reaped.labels(queue, "dead").inc(len(dead))
            case JobsReleased(queue, count, reason):
                worker.released.labels(queue, reason).inc(count)
            case LeaseLost(queue, _, _):
                worker.lease_lost.labels(queue).inc()
            case LoopCrashed(loop, _, _):
                worker.loop_crashes.labels(loop).inc()
            case _:
                pass  # of no interest to metrics

    def _tenant(self, tenant: str | None) -> tuple[str, ...]:
        return (tenant or "",) if self._tenant_label else ()
