"""Telemetry as one object: started by the composition root, handed to clients, workers and the web front."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TextIO

import msgspec
import trio
from opentelemetry import trace
from opentelemetry.trace import SpanContext

from penstock.engine.attempt import Attempt
from penstock.engine.events import Observer, Observers
from penstock.engine.request import Request
from penstock.engine.seams import Seams
from penstock.telemetry.asgi import ASGIApp, TelemetryMiddleware
from penstock.telemetry.export import Export, start_export
from penstock.telemetry.facts import RequestServed
from penstock.telemetry.log_observer import LogObserver
from penstock.telemetry.logs import LogFormat, Logs, configure_logs
from penstock.telemetry.metrics import Metrics
from penstock.telemetry.metrics_endpoint import FactSource, MetricsEndpoint
from penstock.telemetry.metrics_observer import MetricsObserver
from penstock.telemetry.scope import entered, job_scope
from penstock.telemetry.traces import Tracing

SPANS_TIMEOUT = 3.5
LINES_TIMEOUT = 1.0
"""Seconds to hand over spans, then lines, at the end: below five together, half of what Kubernetes' shortest
sensible grace period leaves after draining."""


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a process reports. The `OTEL_*` variables are honoured beside it (`export.py`)."""

    service_name: str = "penstock"
    """Where OTEL_SERVICE_NAME does not say otherwise."""
    log_level: str = "info"
    log_format: LogFormat = "auto"
    otlp_endpoint: str | None = None
    """Base address of a collector, `http://collector:4318`; None: as the environment says."""
    spans_file: str | None = None
    """Append finished spans to this file as JSON lines."""
    metrics_tenant_label: bool = False
    """A `tenant` label on job counters: for some tens of tenants, not thousands."""


class Telemetry:
    """Logs, metrics and traces of one process. Without one, a bare `Seams()` is telemetry off."""

    def __init__(self, logs: Logs, metrics: Metrics, export: Export) -> None:
        self.logs = logs
        self.metrics = metrics
        self.tracing = Tracing(export.provider)
        self._export = export
        self._count = MetricsObserver(metrics)
        self._tell = LogObserver(logs.logger("penstock"))
        metrics.before_scrape.append(self._copy_losses)

    @classmethod
    def start(cls, settings: TelemetrySettings | None = None, *, stream: TextIO | None = None) -> "Telemetry":
        """Set up logs to `stream` (standard error) and everything else; end it with `aclose`.

        Configures structlog and the root logger of the process, and becomes the global tracer provider if
        there is none yet. Raises `ConfigurationError` for a setting that cannot be.
        """
        settings = settings or TelemetrySettings()
        logs = configure_logs(level=settings.log_level, format=settings.log_format, stream=stream)
        try:
            export = start_export(settings.service_name, settings.otlp_endpoint, settings.spans_file)
        except BaseException:
            logs.close(LINES_TIMEOUT)
            raise
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):  # nobody has set one
            trace.set_tracer_provider(export.provider)
        return cls(logs, Metrics(tenant_label=settings.metrics_tenant_label), export)

    def observers(self) -> list[Observer]:
        """What to subscribe to the engine's events."""
        return [self._count, self._tell]

    def around_submit(self, requests: Sequence[Request]) -> AbstractContextManager[Mapping[str, str]]:
        """The engine's seam around submissions: the `enqueue` span, and the headers that carry it on."""
        return self.tracing.around_submit(requests)

    @contextmanager
    def around_attempt(self, attempt: Attempt) -> Generator[SpanContext]:
        """The engine's seam around attempts: the `process` span, and the fields of all log lines inside."""
        with self.tracing.around_attempt(attempt) as span, entered(job_scope(attempt, span)):
            yield span

    def seams(self) -> Seams:
        """Everything a client or worker needs to report; each gets its own."""
        return Seams(Observers(*self.observers()), self.around_submit, self.around_attempt)

    def metrics_endpoint(self, store: FactSource) -> MetricsEndpoint:
        """What answers `/metrics`."""
        return MetricsEndpoint(self.metrics, store)

    def middleware(self, app: ASGIApp) -> TelemetryMiddleware:
        """Wrap an ASGI application: spans, metrics and access lines for its requests."""
        return TelemetryMiddleware(app, self.tracing, self._served)

    async def aclose(self) -> None:
        """Hand over what is queued, within five seconds, cancelled or not; then the streams are let go."""
        await self._export.aclose(SPANS_TIMEOUT)
        # The lines after the spans: the exporter may still have something to say.
        with trio.CancelScope(shield=True):  # bounded by the timeout of `close`
            await trio.to_thread.run_sync(self.logs.close, LINES_TIMEOUT, limiter=trio.CapacityLimiter(1))

    def _served(self, fact: RequestServed) -> None:
        self._count(fact)
        self._tell(fact)

    def _copy_losses(self) -> None:
        """Counts that other threads keep for themselves, brought over by the loop's thread."""
        own, collector = self.metrics.own, self._export.collector
        own.lines_dropped.labels().value = self.logs.writer.dropped
        if collector is not None:
            own.spans_exported.labels().value = collector.exported
            own.spans_failed.labels().value = collector.failed
