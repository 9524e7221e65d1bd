"""Every metric Penstock exposes: names, help and labels. Who counts what stands in the observers.

Counters and histograms are this process's own and add up over processes. The `penstock_queue_*` and
`penstock_workers` gauges describe the store; of the processes that are scraped one shows a queue's, so
that these add up, too. `job` is the job's name; where Prometheus attaches its own `job` label
(the scrape job), it shows ours as `exported_job` unless the scrape says `honor_labels: true`.

docs/metrics.md is generated from here by `python docs/generate.py`.
"""

import platform
from collections.abc import Callable
from importlib.metadata import version

from penstock.engine.objective import Objectives
from penstock.telemetry.metrics.children import MAX_SERIES, OVERFLOW, Counter
from penstock.telemetry.metrics.registry import Maker, Registry

LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds in seconds: nothing may hold the loop for more than a millisecond."""
JOB_LABELS = ("queue", "job", "module")
MAX_TENANTS = 100
"""Tenants with series of their own, the first that come; the others share `__other__` in that label only. A
counter per tenant is read by eye or drawn as one line each, and nobody reads more than some dozens."""
TENANT_SERIES = 10 * MAX_SERIES
"""Series of a counter that has tenants: room for all of them times a hundred jobs and outcomes, yet an answer
of about a megabyte, which Prometheus reads and we write in a fraction of a second."""


class Tenants:
    """Which tenants have series of their own in this process."""

    def __init__(self, overflowed: Callable[[str], None]) -> None:
        self._known: set[str] = set()
        self._overflowed = overflowed

    def label(self, tenant: str | None, metric: Counter) -> str:
        """The value of `tenant_id` for one sample of `metric`: empty for none, `__other__` past the cap."""
        if tenant is None:
            return ""
        if tenant in self._known:
            return tenant
        if len(self._known) < MAX_TENANTS:
            self._known.add(tenant)
            return tenant
        self._overflowed(metric.name)
        return OVERFLOW


class SubmissionMetrics:
    """What this process submits."""

    def __init__(self, make: Maker, *, tenant: bool) -> None:
        each, most = _job_labels(tenant=tenant)
        self.enqueued = make.counter(
            "jobs_enqueued", "Submissions acknowledged.", *each, "duplicate", most=most
        )


class JobMetrics:
    """What happens to jobs in this process; `tenant_id` is one more label of the counters, if asked for."""

    def __init__(self, make: Maker, *, tenant: bool) -> None:
        each, most = _job_labels(tenant=tenant)
        self.started = make.counter("jobs_started", "Attempts started.", *each, most=most)
        self.finished = make.counter(
            "jobs_finished", "Attempts ended, by outcome.", *each, "status", most=most
        )
        self.late = make.counter(
            "jobs_late", "Attempts that started later than their queue's objective allows.", "queue"
        )
        self.wait = make.seconds("job_wait", "Seconds from due to the start of an attempt.", JOB_LABELS)
        self.run = make.seconds("job_run", "Seconds an attempt ran.", JOB_LABELS)


class WorkerMetrics:
    """What happens to the workers of this process."""

    def __init__(self, make: Maker) -> None:
        self.slots = make.gauge("worker_slots", "Attempts that run or could run at once.", "state")
        self.refused = make.counter("settlements_refused", "Settlements that came too late.", "queue")
        self.lease_lost = make.counter("lease_lost", "Leases that ended under a worker.", "queue")
        self.released = make.counter("jobs_released", "Jobs given back, not attempted.", "queue", "reason")
        self.reaped = make.counter("jobs_reaped", "Jobs taken from lost workers.", "queue", "result")
        self.loop_crashes = make.counter("loop_crashes", "Crashes of a worker's own loops.", "loop")
        self.store_outages = make.counter("store_outages", "Times a loop lost sight of the store.", "loop")


def _job_labels(*, tenant: bool) -> tuple[tuple[str, ...], int]:
    """The labels of a counter of jobs, and how many series it may have."""
    return ((*JOB_LABELS, "tenant_id"), TENANT_SERIES) if tenant else (JOB_LABELS, MAX_SERIES)


class ObjectiveMetrics:
    """What queues promise, as their modules declare it."""

    def __init__(self, make: Maker) -> None:
        self.waits: dict[str, float] = {}
        """Seconds, by queue."""
        self.wait = make.gauge(
            "queue_objective_seconds", "How soon a queue's jobs start, as its module promises.", "queue"
        )
        self.share = make.gauge(
            "queue_objective_ratio",
            "The share of a queue's jobs that start so soon (of wait), and that succeed (of success).",
            "queue",
            "of",
        )

    def declare(self, objectives: Objectives) -> None:
        """Show them, and count from now on the jobs that start later."""
        for queue, objective in objectives.items():
            self.waits[queue] = objective.wait
            self.wait.labels(queue).set(objective.wait)
            self.share.labels(queue, "wait").set(objective.share)
            self.share.labels(queue, "success").set(objective.success)


class QueueMetrics:
    """What the store says, read at each scrape, and what reading it takes."""

    def __init__(self, make: Maker) -> None:
        self.jobs = make.gauge("queue_jobs", "Jobs in a queue, by state.", "queue", "state")
        self.oldest = make.gauge(
            "queue_oldest_job_age_seconds",
            "How long the oldest job is ready, running, or (scheduled) overdue; 0 where there is none.",
            "queue",
            "state",
        )
        self.workers = make.gauge("workers", "Workers with a live lease.", "queue")
        self.slots = make.gauge("queue_slots", "Jobs that a queue's workers can run at once.", "queue")
        self.memory = make.gauge(
            "redis_memory_ratio",
            "Part of its `maxmemory` that the server of a queue uses; 0 where it has none, or does not tell.",
            "queue",
        )
        self.store_up = make.gauge("store_up", "Whether the store answered this scrape.")
        # Each scrape shows the one before as it was, so a gauge loses nothing that a histogram would keep.
        self.scrape = make.gauge(
            "telemetry_scrape_seconds", "How long the last scrape took, asking and rendering.", "step"
        )

    def clear(self) -> None:
        """Forget all queues: a gauge that cannot be read is left out, not left standing."""
        for family in (self.jobs, self.oldest, self.workers, self.slots, self.memory):
            family.clear()


class HttpMetrics:
    """What is asked of this process over HTTP."""

    def __init__(self, make: Maker) -> None:
        labels = ("method", "route", "status")
        self.requests = make.counter("http_requests", "Requests answered.", *labels)
        self.seconds = make.seconds("http_request", "Seconds until a request had been answered.", labels)


class OwnMetrics:
    """What telemetry loses, and what this process is."""

    def __init__(self, make: Maker) -> None:
        self.observers_dropped = make.counter(
            "telemetry_observers_dropped", "Observers dropped because they raised.", "observer"
        )
        self.dropped = make.counter(
            "telemetry_dropped", "Spans and log lines lost, by reason.", "signal", "reason"
        )
        self.queued = make.gauge("telemetry_queue", "Spans and log lines that wait to be sent.", "signal")
        self.export_lag = make.gauge(
            "telemetry_export_lag_seconds", "Age of the oldest span that waits to be exported."
        )
        self.loop_lag = make.seconds(
            "loop_lag", "How late the event loop ran what was due, seen twice a second.", (), LAGS
        )
        self.spans_exported = make.counter("telemetry_spans_exported", "Spans a collector took.")
        self.build = make.gauge("build_info", "Always 1.", "version", "python")
        self.build.labels(version("penstock"), platform.python_version()).set(1)


class Metrics:
    """All metrics of one process."""

    def __init__(self, *, tenant_label: bool = False) -> None:
        self.registry = Registry()
        self.tenant_label = tenant_label
        make = Maker(self.registry)
        self.make = make
        self.tenants = Tenants(make.overflowed)
        self.submissions = SubmissionMetrics(make, tenant=tenant_label)
        self.jobs = JobMetrics(make, tenant=tenant_label)
        self.worker = WorkerMetrics(make)
        self.objectives = ObjectiveMetrics(make)
        self.queues = QueueMetrics(make)
        self.http = HttpMetrics(make)
        self.own = OwnMetrics(make)
        self.before_scrape: list[Callable[[], None]] = []
        """Called before each rendering: to copy in what other threads count for themselves."""
