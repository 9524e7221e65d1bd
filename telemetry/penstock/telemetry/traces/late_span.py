"""A span that is made when somebody asks something of it: OpenTelemetry's interface, handed on."""

from collections.abc import Mapping

from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import SpanContext, Status, StatusCode
from opentelemetry.util.types import Attributes, AttributeValue

from penstock.telemetry.traces.span import Span


class LateSpan(ApiSpan):
    """Hands everything on to `span`, but its end, which is whoever made it's."""

    @property
    def span(self) -> Span:
        """The span itself."""
        raise NotImplementedError

    @property
    def traceparent(self) -> str:
        """The span in W3C form."""
        return self.span.traceparent

    def get_span_context(self) -> SpanContext:
        """What children and links refer to."""
        return self.span.get_span_context()

    def is_recording(self) -> bool:
        """Whether anything set on it is kept."""
        return self.span.is_recording()

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set one attribute."""
        self.span.set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set several."""
        self.span.set_attributes(attributes)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add something that happened."""
        self.span.add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Add a link."""
        self.span.add_link(context, attributes)

    def update_name(self, name: str) -> None:
        """Rename it."""
        self.span.update_name(name)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Say how it ended."""
        self.span.set_status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add an event for an exception."""
        self.span.record_exception(exception, attributes, timestamp, escaped)

    def end(self, end_time: int | None = None) -> None:
        """Nothing: the attempt ends it, not what runs inside."""
