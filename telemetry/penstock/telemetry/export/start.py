"""Where finished spans go, as OpenTelemetry's own variables say; always off the loop, and bounded at the end.

| variable | meaning here |
|---|---|
| OTEL_SDK_DISABLED | `true`: no spans, no trace ids |
| OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES | who this is; win over what a command calls itself |
| OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG | which traces are recorded; `parentbased_always_on` |
| OTEL_TRACES_EXPORTER | `otlp` (default), `console`, `jaeger`, `none`, or installed exporters' names |
| OTEL_EXPORTER_OTLP_… and OTEL_EXPORTER_OTLP_TRACES_… | where the collector is: `otlp_settings.py` |
| OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT and the other limits of spans | what handlers may add to a span |
| OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_EXPORT_BATCH_SIZE, OTEL_BSP_SCHEDULE_DELAY | 32,768, 4,096, 1,000 ms |

Only W3C trace context is read and written (OTEL_PROPAGATORS is not used). Where the settings and a variable
both speak, the endpoint of the settings wins.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import entry_points, version
from typing import Any, cast

import trio
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

from penstock.engine.errors import ConfigurationError
from penstock.telemetry.export.otlp_settings import read_otlp_settings
from penstock.telemetry.export.outlets import OtlpOutlet, ReadableOutlet
from penstock.telemetry.export.span_file import SpanFile
from penstock.telemetry.export.thread import ExportThread, Limits
from penstock.telemetry.traces.provider import Provider
from penstock.telemetry.traces.sampling import read_sampler

_GRACE = 0.1
"""Seconds for a thread to say that its time is up."""
FILE_LIMITS = Limits(delay=0.2)
"""A finished span is in the file soon; someone is looking at it."""


class Export:
    """A tracer provider and the threads that hand its spans over."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._threads: list[ExportThread[Any]] = []

    def add(self, outlet: OtlpOutlet | ReadableOutlet) -> None:
        """Have spans leave by `outlet` too."""
        self.provider.add_outlet(outlet)
        self._threads.append(outlet.thread)

    @property
    def taken(self) -> int:
        """Spans that were accepted, by every exporter together."""
        return sum(thread.taken for thread in self._threads)

    @property
    def waiting(self) -> int:
        """Spans that are not handed over yet."""
        return sum(thread.waiting for thread in self._threads)

    @property
    def lag(self) -> float:
        """Seconds since the oldest span that waits has ended."""
        return max((thread.lag for thread in self._threads), default=0.0)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Spans lost, by reason."""
        total: Counter[str] = Counter()
        for thread in self._threads:
            total.update(thread.dropped)
        return total

    async def aclose(self, timeout: float) -> bool:
        """Hand over what waits, for at most `timeout` seconds; True if all of it left.

        In threads, because it blocks, and not cut short by cancellation: shutting down is when it is called.
        Processors that a user has added are shut down meanwhile, and may take as long, not longer.
        """
        done: list[bool] = []

        async def close(end: Callable[[], bool | None]) -> None:
            # A limiter of its own: the default one may be full of handlers that are stuck.
            limiter = trio.CapacityLimiter(1)
            ended = await trio.to_thread.run_sync(end, abandon_on_cancel=True, limiter=limiter)
            done.append(ended is not False)

        with trio.move_on_after(timeout + _GRACE, shield=True) as limit:
            async with trio.open_nursery() as nursery:
                for thread in self._threads:
                    nursery.start_soon(close, partial(thread.close, timeout))
                nursery.start_soon(close, self.provider.shutdown)
        return all(done) and not limit.cancelled_caught


def start_export(
    service_name: str,
    otlp_endpoint: str | None = None,
    spans_file: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Export:
    """Set up a provider of its own; the global one is not touched.

    `otlp_endpoint` is a base address as in OTEL_EXPORTER_OTLP_ENDPOINT (`http://collector:4318`). Without
    one here or in the environment spans are made, for their ids, but sent nowhere. Raises
    `ConfigurationError` for what cannot be, before any thread is started.
    """
    resource = _resource(service_name)
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    try:
        export = Export(Provider(resource, read_sampler(environ), disabled=disabled))
    except ValueError as error:  # OTEL_SPAN_EVENT_COUNT_LIMIT and its like, which the SDK reads
        raise ConfigurationError(str(error)) from error
    if disabled:
        return export
    limits = _limits(environ)
    settings = None
    exporters: list[SpanExporter] = []
    for name in _exporter_names(environ):
        if name == "otlp":
            settings = read_otlp_settings(otlp_endpoint, environ)
        else:
            exporters.append(_exporter(name, service_name, environ))
    file = None if spans_file is None else SpanFile(spans_file)
    if file is not None:
        export.add(ReadableOutlet(file, resource, FILE_LIMITS))
    if settings is not None:
        export.add(OtlpOutlet(settings, resource, limits))
    for exporter in exporters:
        export.add(ReadableOutlet(exporter, resource, limits))
    return export


def _exporter_names(environ: Mapping[str, str]) -> list[str]:
    given = environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    names = list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    return [name for name in names if name != "none"]


def _exporter(name: str, service_name: str, environ: Mapping[str, str]) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(out=sys.stderr)
    if name == "jaeger":
        from penstock.telemetry.export.jaeger import jaeger_exporter  # an extra of its own

        return jaeger_exporter(service_name, environ)
    found = entry_points(group="opentelemetry_traces_exporter", name=name)
    if not found:
        raise ConfigurationError(
            f"OTEL_TRACES_EXPORTER names {name!r}: expected otlp, console, jaeger, none, or an exporter that "
            "an installed package offers"
        )
    try:
        return cast(SpanExporter, next(iter(found)).load()())
    except Exception as error:  # the exporter is somebody else's: anything may happen
        raise ConfigurationError(f"OTEL_TRACES_EXPORTER={name}: {error}") from error


def _limits(environ: Mapping[str, str]) -> Limits:
    standard = Limits()
    spans = _number(environ, "OTEL_BSP_MAX_QUEUE_SIZE", standard.spans)
    batch = _number(environ, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", min(standard.batch, spans))
    delay = _number(environ, "OTEL_BSP_SCHEDULE_DELAY", round(standard.delay * 1000))
    return Limits(spans=spans, batch=min(batch, spans), delay=delay / 1000)


def _number(environ: Mapping[str, str], name: str, standard: int) -> int:
    given = environ.get(name, "").strip()
    if not given:
        return standard
    if not given.isdecimal() or int(given) < 1:
        raise ConfigurationError(f"{name} is {given!r}, expected a positive number")
    return int(given)


def _resource(service_name: str) -> Resource:
    ours = {"service.name": service_name, "service.version": version("penstock")}
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})
