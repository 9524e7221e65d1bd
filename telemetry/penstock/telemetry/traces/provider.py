"""The tracer provider of a process: the SDK's, for whoever uses OpenTelemetry, and the way out of our own
spans.

Spans that the SDK makes and those of `span.py` leave by the same outlets. Processors that users add with
`add_span_processor` see both; ours when they end only, because `on_start` is promised a span of the SDK's.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import structlog
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from penstock.telemetry.traces.attributes import SCHEMA_URL
from penstock.telemetry.traces.readable import to_readable
from penstock.telemetry.traces.span import Span

SCOPE = InstrumentationScope("penstock", schema_url=SCHEMA_URL)
"""Whose spans ours are."""


class Outlet(Protocol):
    """Where finished spans leave; neither `put` blocks or raises."""

    def put(self, span: Span) -> None:
        """Take a finished span of ours."""
        ...

    def put_readable(self, span: ReadableSpan) -> None:
        """Take a finished span of the SDK's."""
        ...

    def flush(self, timeout: float) -> bool:
        """Block until all that was taken has left, at most `timeout` seconds; True where it has."""
        ...


@runtime_checkable
class EncodedOutlet(Outlet, Protocol):
    """An outlet that wants bytes."""

    def put_encoded(self, ended: int, spans: Sequence[bytes]) -> None:
        """Take spans of ours as entries of `ScopeSpans`, the first of which ended then."""
        ...


class Provider(TracerProvider):
    """A tracer provider that also takes the spans of `traces/span.py`."""

    def __init__(
        self, resource: Resource | None = None, sampler: Sampler | None = None, *, disabled: bool = False
    ) -> None:
        """`disabled`: no span is made, no trace begun, as OTEL_SDK_DISABLED asks.

        Raises `ValueError` where one of the variables that limit spans (OTEL_SPAN_*_LIMIT and their like) is
        not a number.
        """
        self.disabled = disabled
        self.limits = SpanLimits()
        # Its hook at exit would block; `Export.aclose` is bounded.
        super().__init__(sampler, resource, shutdown_on_exit=False, span_limits=self.limits)
        self._outlets: list[Outlet] = []
        self._others: list[SpanProcessor] = []
        self.direct: EncodedOutlet | None = None
        """The one by which all spans leave, where there is only one and it wants bytes."""

    def add_outlet(self, outlet: Outlet) -> None:
        """Have every finished span leave by `outlet` too."""
        super().add_span_processor(_Into(outlet))
        self._outlets.append(outlet)
        self._find_direct()

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Show every span to a processor of the SDK's kind; `on_end` is called for ours as well."""
        super().add_span_processor(span_processor)
        self._others.append(span_processor)
        self._find_direct()

    def finish(self, span: Span) -> None:
        """Hand a finished span of ours on."""
        for outlet in self._outlets:
            outlet.put(span)
        if self._others:
            self._show(to_readable(span, self.resource, SCOPE))

    def _find_direct(self) -> None:
        outlet = self._outlets[0] if len(self._outlets) == 1 and not self._others else None
        self.direct = outlet if isinstance(outlet, EncodedOutlet) else None

    def _show(self, span: ReadableSpan) -> None:
        for processor in tuple(self._others):
            try:
                processor.on_end(span)
            except Exception:  # somebody else's: it is reported once, and the job goes on
                self._others.remove(processor)
                name = type(processor).__qualname__
                structlog.get_logger("penstock").exception("span_processor_failed", processor=name)


class _Into(SpanProcessor):
    """Leads the SDK's spans into an outlet."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        """Nothing to do."""

    def on_end(self, span: ReadableSpan) -> None:
        """Hand it on where it is sampled."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._outlet.put_readable(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Block until the outlet has handed over what it has."""
        return self._outlet.flush(timeout_millis / 1000)
