"""Telemetry as one object: started by the composition root, handed to clients, workers and the web front."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TextIO

import msgspec
import trio
from opentelemetry import trace

from penstock.engine.events import Observer, Observers
from penstock.engine.request import Request
from penstock.engine.seams import Seams
from penstock.telemetry.asgi import ASGIApp, TelemetryMiddleware
from penstock.telemetry.export.start import Export, start_export
from penstock.telemetry.facts import RequestServed
from penstock.telemetry.ledger import Ledger
from penstock.telemetry.logs.known_secrets import otlp_secrets
from penstock.telemetry.logs.lines import bound_fields
from penstock.telemetry.logs.observer import LogObserver
from penstock.telemetry.logs.redaction import Redaction
from penstock.telemetry.logs.schema import LogSchema
from penstock.telemetry.logs.setup import LogFormat, Logs, configure_logs
from penstock.telemetry.metrics.endpoint import FactSource, MetricsEndpoint
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.loop_lag import watch
from penstock.telemetry.metrics.observer import MetricsObserver
from penstock.telemetry.traces.observer import TraceObserver
from penstock.telemetry.traces.rule import TraceMode, TraceRule
from penstock.telemetry.traces.tracing import Tracing

SPANS_TIMEOUT = 3.5
LINES_TIMEOUT = 1.0
"""Seconds to hand over spans, then lines, at the end: below five together, half of what Kubernetes' shortest
sensible grace period leaves after draining."""


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a process reports. The `OTEL_*` variables are honoured beside it (`export/start.py`)."""

    service_name: str = "penstock"
    """Where OTEL_SERVICE_NAME does not say otherwise."""
    log_level: str = "info"
    log_format: LogFormat = "auto"
    log_schema: LogSchema = "otel"
    redact: tuple[str, ...] = ()
    """Names of fields that are hidden, beside those of `redaction.NAMES`."""
    secrets: Mapping[str, str] = {}
    """Secrets known by value, by where they come from; those of the OTLP exporter are added."""
    otlp_endpoint: str | None = None
    """Base address of a collector, `http://collector:4318`; None: as the environment says."""
    spans_file: str | None = None
    """Append finished spans to this file as JSON lines."""
    trace_mode: TraceMode = "auto"
    trace_soon: float = 300.0
    trace_slow: float = 10.0
    """See `trace_rule.TraceRule`."""
    metrics_tenant_label: bool = False
    """A label `tenant_id` on job counters: for some tens of tenants, not thousands."""


class Telemetry:
    """Logs, metrics and traces of one process. Without one, a bare `Seams()` is telemetry off."""

    def __init__(self, logs: Logs, metrics: Metrics, export: Export, rule: TraceRule | None = None) -> None:
        self.logs = logs
        self.metrics = metrics
        self.tracing = Tracing(export.provider, rule, logs.redaction.text)
        self.around_attempt = self.tracing.around_attempt
        """The engine's seam around attempts: their spans, and the fields of all log lines inside."""
        self._export = export
        self._span = TraceObserver(self.tracing)
        self._count = MetricsObserver(metrics)
        self._tell = LogObserver(logs.logger("penstock"), logs.teller("penstock"))
        self._ledger = Ledger(*self.tracing_observers(), self._count, self._tell, bound=bound_fields)
        metrics.before_scrape += [self.tell, self._copy_losses]

    @classmethod
    def start(cls, settings: TelemetrySettings | None = None, *, stream: TextIO | None = None) -> "Telemetry":
        """Set up logs to `stream` (standard error) and everything else; end it with `aclose`.

        Configures structlog and the root logger of the process, and becomes the global tracer provider if
        there is none yet. Raises `ConfigurationError` for a setting that cannot be.
        """
        settings = settings or TelemetrySettings()
        rule = TraceRule(mode=settings.trace_mode, soon=settings.trace_soon, slow=settings.trace_slow)
        redaction = Redaction(settings.redact, {**settings.secrets, **otlp_secrets(settings.otlp_endpoint)})
        logs = configure_logs(
            level=settings.log_level,
            format=settings.log_format,
            schema=settings.log_schema,
            service=os.environ.get("OTEL_SERVICE_NAME") or settings.service_name,
            stream=stream,
            redaction=redaction,
        )
        try:
            export = start_export(settings.service_name, settings.otlp_endpoint, settings.spans_file)
        except BaseException:
            logs.close(LINES_TIMEOUT)
            raise
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):  # nobody has set one
            trace.set_tracer_provider(export.provider)
        for source in redaction.ignored:
            logs.logger("penstock").warning("secret is too short to be hidden", source=source)
        return cls(logs, Metrics(tenant_label=settings.metrics_tenant_label), export, rule)

    def observers(self) -> list[Observer]:
        """What to subscribe to the engine's events."""
        return [self._ledger]

    def tracing_observers(self) -> list[Observer]:
        """Those behind them that make spans."""
        return [self._span] if self.tracing.enabled else []

    def around_submit(self, requests: Sequence[Request]) -> AbstractContextManager[Mapping[str, str]]:
        """The engine's seam around submissions: the `enqueue` span, and the headers that carry it on."""
        return self.tracing.around_submit(requests)

    def seams(self) -> Seams:
        """Everything a client or worker needs to report; each gets its own."""
        observers, redact = Observers(*self.observers()), self.logs.redaction.text
        around_operation = self.tracing.around_operation
        return Seams(observers, self.around_submit, self.around_attempt, redact, around_operation)

    def metrics_endpoint(self, store: FactSource) -> MetricsEndpoint:
        """What answers `/metrics`."""
        return MetricsEndpoint(self.metrics, store)

    def middleware(self, app: ASGIApp) -> TelemetryMiddleware:
        """Wrap an ASGI application: spans, metrics and access lines for its requests."""
        return TelemetryMiddleware(app, self.tracing, self._served)

    async def watch(self) -> None:
        """Measure how late the event loop is, and tell what has waited for half a second; until cancelled."""
        await watch(self.metrics.own.loop_lag.labels(), each=self.tell)

    def tell(self) -> None:
        """Write and count what waits to be told a batch at a time; done by itself in time (`ledger.py`)."""
        self._ledger.tell()

    async def aclose(self) -> None:
        """Hand over what is queued, within five seconds, cancelled or not; then the streams are let go."""
        self.tell()
        await self._export.aclose(SPANS_TIMEOUT)
        # The lines after the spans: the exporter may still have something to say.
        with trio.CancelScope(shield=True):  # bounded by the timeout of `close`
            await trio.to_thread.run_sync(self.logs.close, LINES_TIMEOUT, limiter=trio.CapacityLimiter(1))

    def _served(self, fact: RequestServed) -> None:
        self._count(fact)
        self._tell(fact)

    def _copy_losses(self) -> None:
        """Counts that other threads keep for themselves, brought over by the loop's thread."""
        own = self.metrics.own
        for signal, lost in (("logs", self.logs.writer.dropped), ("spans", self._export.dropped)):
            for reason, count in lost.items():
                own.dropped.labels(signal, reason).value = count
        own.spans_exported.labels().value = self._export.taken
        own.queued.labels("spans").set(self._export.waiting)
        own.queued.labels("logs").set(self.logs.writer.waiting)
        own.export_lag.labels().set(self._export.lag)
