"""What the telemetry tests share: a `Telemetry` whose output can be read, and attempts to report on."""

import io
import json
from typing import Any

import msgspec
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

from penstock.engine.attempt import Attempt
from penstock.engine.request import Request
from penstock.telemetry import Telemetry
from penstock.telemetry.export.start import Export
from penstock.telemetry.logs.setup import configure_logs
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.traces.provider import Provider
from penstock.telemetry.traces.rule import TraceRule


class Rig:
    """A `Telemetry` of its own provider that keeps spans and lines in memory."""

    def __init__(
        self,
        *,
        tenant_label: bool = False,
        rule: TraceRule | None = None,
        sampler: Sampler | None = None,
    ) -> None:
        self.stream = io.StringIO()
        self.finished = InMemorySpanExporter()
        provider = Provider(sampler=sampler)
        provider.add_span_processor(SimpleSpanProcessor(self.finished))
        logs = configure_logs(level="debug", format="json", stream=self.stream)
        self.telemetry = Telemetry(logs, Metrics(tenant_label=tenant_label), Export(provider), rule)

    def lines(self) -> list[dict[str, Any]]:
        """Every line so far; closes the logs, so that the writer's thread is done."""
        self.telemetry.tell()
        assert self.telemetry.logs.close(5.0)
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def spans(self) -> dict[str, ReadableSpan]:
        """The finished spans by name."""
        self.telemetry.tell()
        return {span.name: span for span in self.finished.get_finished_spans()}

    def value(self, name: str, **labels: str) -> Any:
        """The value of one series."""
        self.telemetry.tell()
        return self.telemetry.metrics.registry.get(name).get(labels)


def attempt(job_id: str = "media.1", headers: dict[str, str] | None = None, **fields: Any) -> Attempt:
    """An attempt at `images.thumbnail`, the first unless told otherwise."""
    given: dict[str, Any] = {
        "id": job_id,
        "job": "images.thumbnail",
        "module": "images",
        "queue": "media",
        "number": 1,
        "max_attempts": 4,
        "priority": 5,
        "tenant": None,
        "user": None,
        "headers": headers or {},
        "submitted": 1_000.0,
        "due": 1_000.0,
        "now": 1_000.5,
        "worker": "w1",
        "waited": 0.5,
    }
    return Attempt(**(given | fields))


def request(job: str = "images.thumbnail") -> Request:
    """A request for one job on the queue `media`."""
    return Request(job=job, queue="media", args=msgspec.Raw(b"\x80"))
