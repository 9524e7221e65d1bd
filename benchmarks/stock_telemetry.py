"""The same two spans, one line and five metric updates a job with the libraries' own parts, set up as their
documents recommend for production: what Penstock's telemetry is measured against.
"""

import logging
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager

import structlog
import trio
from aioprometheus import collectors
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from penstock.engine import Observers, Seams
from penstock.engine.attempt import Attempt
from penstock.engine.events import Event, JobFinished, JobStarted
from penstock.engine.outcome import outcome_name

BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600]


class StockTelemetry:
    """OpenTelemetry's SDK with its batch processor and exporter, aioprometheus, structlog with bound
    context."""

    def __init__(self, endpoint: str) -> None:
        resource = Resource.create({"service.name": "stock"})
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.provider.add_span_processor(
            # Room for all: what it drops would not be paid for.
            BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces"), max_queue_size=1_000_000)
        )
        self._tracer = self.provider.get_tracer("stock")
        self._propagator = TraceContextTextMapPropagator()
        registry = collectors.Registry()
        self._started = collectors.Counter("started_total", "Started.", registry=registry)
        self._finished = collectors.Counter("finished_total", "Finished.", registry=registry)
        self._busy = collectors.Gauge("busy", "Busy.", registry=registry)
        self._wait = collectors.Histogram("wait_seconds", "Waited.", buckets=BUCKETS, registry=registry)
        self._run = collectors.Histogram("run_seconds", "Ran.", buckets=BUCKETS, registry=registry)
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.WriteLoggerFactory(sys.stderr),
            cache_logger_on_first_use=True,
        )
        self._log = structlog.get_logger()

    def seams(self) -> Seams:
        """What the engine reports to."""
        return Seams(Observers(self._observe), around_attempt=self._around_attempt)

    async def aclose(self) -> None:
        """Hand over all spans."""
        await trio.to_thread.run_sync(self.provider.shutdown)

    @contextmanager
    def _around_attempt(self, attempt: Attempt) -> Generator[None]:
        parent = self._propagator.extract(attempt.headers)
        started = time.time_ns()
        attributes: dict[str, str | int] = {
            "messaging.system": "penstock",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": attempt.queue,
            "messaging.message.id": attempt.id,
            "messaging.client.id": attempt.worker,
            "messaging.penstock.job": attempt.job,
            "messaging.penstock.module": attempt.module,
            "messaging.penstock.attempt": attempt.number,
            "messaging.penstock.max_attempts": attempt.max_attempts,
            "messaging.penstock.priority": attempt.priority,
        }
        wait = self._tracer.start_span(
            f"wait {attempt.queue}",
            parent,
            attributes={"messaging.message.id": attempt.id, "messaging.penstock.attempt": attempt.number},
            start_time=started - int(attempt.waited * 1e9),
        )
        wait.end(started)
        with self._tracer.start_as_current_span(
            f"process {attempt.queue}", parent, SpanKind.CONSUMER, attributes, start_time=started
        ) as span:
            ids = span.get_span_context()
            with structlog.contextvars.bound_contextvars(
                trace_id=trace.format_trace_id(ids.trace_id),
                span_id=trace.format_span_id(ids.span_id),
                job_id=attempt.id,
                job=attempt.job,
                module=attempt.module,
                queue=attempt.queue,
                attempt=attempt.number,
            ):
                yield
            if attempt.outcome is not None:
                span.set_attribute("messaging.penstock.outcome", outcome_name(attempt.outcome))

    def _observe(self, event: Event) -> None:
        match event:
            case JobStarted(attempt):
                labels = {"queue": attempt.queue, "name": attempt.job, "module": attempt.module}
                self._started.inc(labels)
                self._wait.observe(labels, attempt.waited)
                self._busy.inc({"state": "busy"})
            case JobFinished(attempt, seconds) if attempt.outcome is not None:
                labels = {"queue": attempt.queue, "name": attempt.job, "module": attempt.module}
                outcome = outcome_name(attempt.outcome)
                self._finished.inc({**labels, "status": outcome})
                self._run.observe(labels, seconds)
                self._busy.dec({"state": "busy"})
                self._log.info(
                    "job finished",
                    outcome=outcome,
                    seconds=round(seconds, 6),
                    waited=round(attempt.waited, 6),
                )
            case _:
                pass
