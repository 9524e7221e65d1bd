"""Every metric Penstock exposes: names, help and labels. Who counts what stands in the observers.

Counters and histograms are this process's own and add up over processes. The `penstock_queue_*` and
`penstock_workers` gauges describe the store, and every process that is scraped reports the same: take
their maximum, not their sum. `job` is the job's name; where Prometheus attaches its own `job` label
(the scrape job), it shows ours as `exported_job` unless the scrape says `honor_labels: true`.
"""

import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version

from aioprometheus import collectors

from penstock.telemetry.children import Counter, Family, Gauge, Histogram

DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)
"""Upper bounds in seconds: those that OpenTelemetry advises for messaging, widened to what jobs take."""
JOB_LABELS = ("queue", "job", "module")


class Registry(collectors.Registry):
    """A registry of our own families only: what the renderer cannot escape may not get in."""

    def register(self, collector: collectors.Collector) -> None:
        """Add one family; raises `TypeError` for a bare aioprometheus collector."""
        if not isinstance(collector, Family):
            raise TypeError(f"{collector.name} has no declared labels; use penstock.telemetry's classes")
        super().register(collector)

    def families(self) -> list[Counter | Gauge | Histogram]:
        """Every family, in order of declaration."""
        return [family for family in self.get_all() if isinstance(family, (Counter, Gauge, Histogram))]


class Maker:
    """Declares families in one registry, all counting their overflow in one place."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        overflow = Counter(
            registry,
            "penstock_telemetry_label_overflow_total",
            "Samples counted under __other__ because their metric has too many series.",
            ("metric",),
        )
        self._overflowed: Callable[[str], None] = lambda name: overflow.labels(name).inc()

    def counter(self, name: str, doc: str, *labels: str) -> Counter:
        """A counter; `penstock_` goes before its name and `_total` behind it."""
        return Counter(self.registry, f"penstock_{name}_total", doc, labels, self._overflowed)

    def gauge(self, name: str, doc: str, *labels: str) -> Gauge:
        """A gauge; `penstock_` goes before its name."""
        return Gauge(self.registry, f"penstock_{name}", doc, labels, self._overflowed)

    def seconds(self, name: str, doc: str, labels: Sequence[str]) -> Histogram:
        """A histogram of durations; `penstock_` goes before its name and `_seconds` behind it."""
        name = f"penstock_{name}_seconds"
        return Histogram(self.registry, name, doc, labels, self._overflowed, buckets=DURATIONS)


class JobMetrics:
    """What happens to jobs in this process; `tenant` is one more label of those that may have it."""

    def __init__(self, make: Maker, *, tenant: bool) -> None:
        each = (*JOB_LABELS, "tenant") if tenant else JOB_LABELS
        self.enqueued = make.counter("jobs_enqueued", "Submissions acknowledged.", *each, "duplicate")
        self.started = make.counter("jobs_started", "Attempts started.", *each)
        self.finished = make.counter("jobs_finished", "Attempts ended, by outcome.", *each, "status")
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


class QueueMetrics:
    """What the store says, read at each scrape."""

    def __init__(self, make: Maker) -> None:
        self.jobs = make.gauge("queue_jobs", "Jobs in a queue, by state.", "queue", "state")
        self.oldest = make.gauge(
            "queue_oldest_job_age_seconds",
            "How long the oldest job is ready, running, or (scheduled) overdue; 0 where there is none.",
            "queue",
            "state",
        )
        self.workers = make.gauge("workers", "Workers with a live lease.", "queue")
        self.store_up = make.gauge("store_up", "Whether the store answered this scrape.")

    def clear(self) -> None:
        """Forget all queues: a gauge that cannot be read is left out, not left standing."""
        for family in (self.jobs, self.oldest, self.workers):
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
        self.lines_dropped = make.counter("telemetry_log_lines_dropped", "Log lines never written.")
        self.spans_exported = make.counter("telemetry_spans_exported", "Spans a collector took.")
        self.spans_failed = make.counter("telemetry_spans_failed", "Spans lost because export failed.")
        build = make.gauge("build_info", "Always 1.", "version", "python")
        build.labels(version("penstock"), platform.python_version()).set(1)


class Metrics:
    """All metrics of one process."""

    def __init__(self, *, tenant_label: bool = False) -> None:
        self.registry = Registry()
        self.tenant_label = tenant_label
        make = Maker(self.registry)
        self.jobs = JobMetrics(make, tenant=tenant_label)
        self.worker = WorkerMetrics(make)
        self.queues = QueueMetrics(make)
        self.http = HttpMetrics(make)
        self.own = OwnMetrics(make)
        self.before_scrape: list[Callable[[], None]] = []
        """Called before each rendering: to copy in what other threads count for themselves."""
