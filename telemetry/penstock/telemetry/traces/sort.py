"""What many spans have in common, put together and encoded once."""

from collections.abc import Mapping

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from penstock.telemetry.traces.otlp import encode_head


class Sort:
    """A sort of spans: name, kind, some attributes."""

    __slots__ = ("_having", "attributes", "encoded", "kind", "name")

    def __init__(self, name: str, kind: SpanKind, attributes: Mapping[str, AttributeValue]) -> None:
        self.name = name
        self.kind = kind
        self.attributes = attributes
        self.encoded = encode_head(name, kind.value, attributes)
        self._having: dict[tuple[str, str], Sort] = {}

    def having(self, key: str, value: str) -> "Sort":
        """The same sort with one more attribute, of few values."""
        sort = self._having.get((key, value))
        if sort is None:
            sort = self._having[key, value] = Sort(self.name, self.kind, {**self.attributes, key: value})
        return sort
