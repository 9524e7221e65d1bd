"""Spans of our own: OpenTelemetry's interface at a tenth of the SDK's cost.

An SDK span costs 35 µs to make and 44 to encode; this one about 3 in all. Whatever surrounds it is the SDK's:
it becomes a `ReadableSpan` for any processor or exporter (`readable.py`), children made by any OpenTelemetry
library nest below it, and `get_current_span().set_attribute(...)` works. Like the SDK's, a span is one
task's at a time, and one that has ended does not change any more.
"""

import os
import random
import time
from collections.abc import Iterable, Mapping
from itertools import chain
from types import TracebackType
from typing import Protocol

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event, SpanLimits
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags, TraceState
from opentelemetry.util.types import Attributes, AttributeValue

from penstock.telemetry.traces.attributes import MESSAGING_MESSAGE_ID as _ID
from penstock.telemetry.traces.otlp import (
    SpanLink,
    encode_attributes,
    encode_events,
    encode_head,
    encode_links,
    encode_lost,
    encode_message_id,
    encode_span,
    encode_status,
    encode_trace_state,
)
from penstock.telemetry.traces.sort import Sort

SAMPLED = 0x01
RANDOM = 0x02
"""Trace flags (W3C Trace Context level 2, §3.2.2.5): recorded; the id is random throughout."""

_UNSET = Status(StatusCode.UNSET)
# Ids need be unique, not secret. Not the generator that `random.seed` in some handler would turn back.
_generator = random.Random()
_chance = _generator.getrandbits
os.register_at_fork(after_in_child=_generator.seed)


def new_trace_id() -> str:
    """Thirty-two hex digits."""
    return (_chance(128) or 1).to_bytes(16, "big").hex()


def new_span_id() -> str:
    """Sixteen hex digits."""
    return new_span_bytes().hex()


def new_span_bytes() -> bytes:
    """Eight bytes, not all zero."""
    return (_chance(64) or 1).to_bytes(8, "big")


class Finish(Protocol):
    """Who takes finished spans, sampled ones only."""

    limits: SpanLimits
    """What may be added to a span: attributes, links and events, and how long they may be."""

    def finish(self, span: "Span") -> None:
        """Take `span`; neither blocks nor raises."""
        ...


class Span(ApiSpan):
    """One span; the ids are hex, times nanoseconds since the epoch."""

    # What most spans never need costs them nothing.
    ended = 0
    remote = False
    """Whether the parent is of another process."""
    trace_state = ""
    """W3C `tracestate`; changed by `inherit` only."""
    message_id: str | None = None
    """The job; an attribute that nearly all spans have."""
    status = _UNSET
    events: "BoundedList[Event] | tuple[Event, ...]" = ()
    _unusual = False
    """Whether it has a status, links, events or a trace state."""
    _noted: dict[str, AttributeValue] | None = None
    _added: BoundedAttributes | None = None
    _linked: "BoundedList[SpanLink] | tuple[SpanLink, ...]" = ()
    _referred: Iterable[SpanLink] = ()
    _context: SpanContext | None = None

    def __init__(
        self,
        finish: Finish,
        sort: Sort,
        trace_id: str,
        parent_id: str | None,
        flags: int,
        started: int | None = None,
    ) -> None:
        self._finish = finish
        self.sort = sort
        self.trace_id = trace_id
        self.span_id = (_chance(64) or 1).to_bytes(8, "big").hex()  # `new_span_id`, without the call
        self.parent_id = parent_id
        self.flags = flags
        self.started = time.time_ns() if started is None else started

    def inherit(self, remote: bool, trace_state: str) -> None:
        """Take over what is to be known of the parent beside its ids."""
        self.remote = remote
        if trace_state:
            self.trace_state = trace_state
            self._unusual = True

    def keep(self) -> None:
        """Have it recorded and handed on though it was not sampled."""
        self.flags |= SAMPLED
        self._context = None  # which says otherwise

    def note(self, key: str, value: AttributeValue) -> None:
        """Set an attribute whose type is known to be right: ours."""
        if self._noted is None:
            self._noted = {}
        self._noted[key] = value

    def refer_to(self, links: Iterable[SpanLink]) -> None:
        """Have these links, however many: ours."""
        self._referred = links
        self._unusual = True

    @property
    def sampled(self) -> bool:
        """Whether it is recorded and handed on."""
        return bool(self.flags & SAMPLED)

    @property
    def traceparent(self) -> str:
        """The span in W3C form (Trace Context level 1, §3.2)."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    # --- OpenTelemetry's interface ---------------------------------------------------------

    def get_span_context(self) -> SpanContext:
        """What children and links refer to; made when somebody asks."""
        if self._context is None:
            self._context = SpanContext(
                int(self.trace_id, 16),
                int(self.span_id, 16),
                is_remote=False,
                trace_flags=TraceFlags(self.flags),
                trace_state=TraceState.from_header([self.trace_state]) if self.trace_state else None,
            )
        return self._context

    def is_recording(self) -> bool:
        """Whether anything set on it is kept."""
        return bool(self.flags & SAMPLED) and not self.ended

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set one attribute; what OpenTelemetry does not allow is left out with its warning."""
        if self.is_recording():
            if self._added is None:
                limits = self._finish.limits
                self._added = BoundedAttributes(
                    limits.max_span_attributes,
                    immutable=False,
                    max_value_len=limits.max_span_attribute_length,
                )
            self._added[key] = value

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set several."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def update_name(self, name: str) -> None:
        """Rename it."""
        if self.is_recording():
            self.sort = Sort(name, self.sort.kind, self.sort.attributes)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Say how it ended; as in the SDK, OK is final and UNSET changes nothing."""
        new = status if isinstance(status, Status) else Status(status, description)
        if (
            self.is_recording()
            and new.status_code is not StatusCode.UNSET
            and self.status.status_code is not StatusCode.OK
        ):
            self.status = new
            self._unusual = True

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add something that happened; of too many the oldest are left out."""
        if self.is_recording():
            if not isinstance(self.events, BoundedList):
                self.events = BoundedList(self._finish.limits.max_events)
                self._unusual = True
            self.events.append(Event(name, self._bounded(attributes, of_link=False), timestamp))

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Add a link; of too many the oldest are left out, and what leads nowhere and says nothing is."""
        if self.is_recording() and (context.is_valid or attributes or context.trace_state):
            if not isinstance(self._linked, BoundedList):
                self._linked = BoundedList(self._finish.limits.max_links)
                self._unusual = True
            self._linked.append(
                SpanLink(
                    f"{context.trace_id:032x}",
                    f"{context.span_id:016x}",
                    int(context.trace_flags),
                    context.trace_state.to_header(),
                    self._bounded(attributes, of_link=True),
                    context.is_remote,
                )
            )

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add the event that the interface asks for: type and message, no traceback, which is in the log."""
        kind = type(exception)
        builtin = kind.__module__ == "builtins"
        told = {
            "exception.type": kind.__qualname__ if builtin else f"{kind.__module__}.{kind.__qualname__}",
            "exception.message": str(exception),
        }
        self.add_event("exception", {**told, **(attributes or {})}, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """End it and hand it on; a second end changes nothing."""
        if not self.ended:
            self.ended = end_time or time.time_ns()
            if self.flags & SAMPLED:
                self._finish.finish(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, with what ended the block as its status, as the SDK's does."""
        if error is not None:
            self.record_exception(error)
            self.set_status(StatusCode.ERROR, f"{type(error).__name__}: {error}")
        self.end()

    def _bounded(self, attributes: Attributes, *, of_link: bool) -> BoundedAttributes:
        limits = self._finish.limits
        most = limits.max_link_attributes if of_link else limits.max_event_attributes
        return BoundedAttributes(most, attributes, max_value_len=limits.max_attribute_length)

    # --- what becomes of it ----------------------------------------------------------------

    @property
    def attributes(self) -> dict[str, AttributeValue]:
        """All of them; where what runs inside has set one of ours anew, its word stands."""
        job = {} if self.message_id is None else {_ID: self.message_id}
        return {**self.sort.attributes, **job, **(self._noted or {}), **(self._added or {})}

    @property
    def links(self) -> Iterable[SpanLink]:
        """Ours, then those that were added."""
        return chain(self._referred, self._linked)

    @property
    def lost(self) -> tuple[int, int, int]:
        """Attributes, events and links that were left out: there were too many."""
        return (
            0 if self._added is None else self._added.dropped,
            self.events.dropped if isinstance(self.events, BoundedList) else 0,
            self._linked.dropped if isinstance(self._linked, BoundedList) else 0,
        )

    def encode(self) -> bytes:
        """The span as OTLP; call it once it has ended."""
        sort, noted = self.sort, self._noted
        if self._added is None and (noted is None or noted.keys().isdisjoint((_ID, *sort.attributes))):
            rest = sort.encoded
            if self.message_id is not None:
                rest += encode_message_id(self.message_id)
            if noted is not None:
                rest += encode_attributes(noted)
        else:  # one may have been set anew, and no key may stand there twice
            rest = encode_head(sort.name, sort.kind.value, self.attributes)
        if self._unusual or self._added is not None:
            rest += self._encode_unusual()
        ids = f"0a10{self.trace_id}1208{self.span_id}"
        if self.parent_id is not None:
            ids += f"2208{self.parent_id}"
        return encode_span(ids, self.started, self.ended, self.flags, self.remote, rest)

    def _encode_unusual(self) -> bytes:
        """What spans of jobs that succeed do not have."""
        return (
            encode_status(self.status)
            + encode_links(self.links)
            + encode_events(self.events)
            + encode_lost(*self.lost)
            + (encode_trace_state(self.trace_state) if self.trace_state else b"")
        )
