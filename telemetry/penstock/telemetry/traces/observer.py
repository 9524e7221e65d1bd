"""Spans made from facts: what the worker itself did to a queue, where it did something.

They are laid out backwards from now by the duration that the fact tells. Looking for work that is not there
is no span.
"""

import time
from collections.abc import Callable
from typing import Any

from opentelemetry.util.types import AttributeValue

from penstock.engine.events import Event, JobsPromoted, Settled, WorkersReaped
from penstock.telemetry.ledger import JobsToTell
from penstock.telemetry.traces import attributes as names
from penstock.telemetry.traces.otlp import SpanLink
from penstock.telemetry.traces.span import SAMPLED, Span, new_trace_id
from penstock.telemetry.traces.tracing import Tracing


class TraceObserver:
    """Makes the span for each fact that deserves one."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._makers: dict[type[Any], Callable[[Any], None]] = {
            JobsToTell: self._about_jobs,
            Settled: self._settled,
            JobsPromoted: self._promoted,
            WorkersReaped: self._reaped,
        }
        self.hears = frozenset(self._makers)

    def __call__(self, event: Event | JobsToTell) -> None:
        self._makers[type(event)](event)

    def _about_jobs(self, batch: JobsToTell) -> None:
        direct, encoded, first = self._tracing.provider.direct, list[bytes](), 0
        for told in batch.entries:
            scope = told.scope
            if direct is not None and scope.encode_into(encoded):
                first = first or told.ended
                continue
            if told.begins:
                scope.show_wait()
            if told.ended:
                scope.show_end()
        if direct is not None and encoded:
            direct.put_encoded(first, encoded)

    def _settled(self, event: Settled) -> None:
        """One span a flush, if an attempt in it is sampled; with a link to each of those."""
        links = [
            trace
            for attempt in event.attempts
            if isinstance(trace := attempt.trace, SpanLink) and trace.flags & SAMPLED
        ]
        if not links:
            return
        span = self._root("settle", event.queue, event.seconds, SAMPLED)
        span.note(names.MESSAGING_BATCH_MESSAGE_COUNT, event.count)
        span.note(names.PENSTOCK_SECONDS_PER_JOB, event.seconds / event.count)
        if event.refused:
            span.note(names.PENSTOCK_REFUSED, event.refused)
        span.refer_to(links)
        span.end()

    def _promoted(self, event: JobsPromoted) -> None:
        self._did("promote", event.queue, event.seconds, {names.MESSAGING_BATCH_MESSAGE_COUNT: event.count})

    def _reaped(self, event: WorkersReaped) -> None:
        done: dict[str, AttributeValue] = {
            names.MESSAGING_BATCH_MESSAGE_COUNT: event.returned + len(event.dead),
            names.PENSTOCK_WORKERS: event.revoked,
            names.PENSTOCK_DEAD: event.dead,
        }
        self._did("reap", event.queue, event.seconds, done)

    def _did(self, action: str, queue: str, seconds: float, attributes: dict[str, AttributeValue]) -> None:
        span = self._root(action, queue, seconds, None)
        for key, value in attributes.items():
            span.note(key, value)
        span.end()

    def _root(self, action: str, queue: str, seconds: float, flags: int | None) -> Span:
        sort, trace_id = self._tracing.sorts.action(action, queue), new_trace_id()
        if flags is None:
            flags = self._tracing.sampling.root(trace_id, sort)
        return Span(self._tracing.provider, sort, trace_id, None, flags, time.time_ns() - int(seconds * 1e9))
