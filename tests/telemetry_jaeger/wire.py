"""Thrift's two protocols read from their specifications, and Jaeger's model as its IDL numbers the fields.

Nothing here is shared with the library that writes. The sources: thrift-compact-protocol.md and
thrift-binary-protocol.md of Apache Thrift, `jaeger.thrift` and `agent.thrift` of jaeger-idl.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

Fields = dict[int, Any]
"""A struct: its values by the numbers of their fields."""


class Compact:
    """The compact protocol; `read` takes the next value of a type."""

    TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)

    def __init__(self, data: bytes) -> None:
        self.data = BytesIO(data)

    def message(self) -> tuple[str, int, Fields]:
        """Name, kind (4 is a call without an answer) and arguments of a call; nothing may follow."""
        assert self.data.read(1) == b"\x82"
        versioned = self.data.read(1)[0]
        assert versioned & 0x1F == 1
        self.varint()  # its number
        name = self.read(self.BINARY).decode()
        arguments = self.read(self.STRUCT)
        assert self.data.read() == b""
        return name, versioned >> 5, arguments

    def varint(self) -> int:
        value = shift = 0
        while True:
            (byte,) = self.data.read(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def zigzag(self) -> int:
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def read(self, kind: int) -> Any:
        if kind in (self.I16, self.I32, self.I64):
            return self.zigzag()
        readers: dict[int, Callable[[], Any]] = {
            self.DOUBLE: lambda: struct.unpack("<d", self.data.read(8))[0],
            self.BINARY: lambda: self.data.read(self.varint()),
            self.LIST: self.items,
            self.STRUCT: self.fields,
        }
        return readers[kind]()

    def items(self) -> list[Any]:
        (head,) = self.data.read(1)
        count = head >> 4 if head >> 4 < 15 else self.varint()
        return [self.read(head & 0x0F) for _ in range(count)]

    def fields(self) -> Fields:
        found: Fields = {}
        number = 0
        while head := self.data.read(1)[0]:
            number = number + (head >> 4) if head >> 4 else self.zigzag()
            kind = head & 0x0F
            assert number not in found
            found[number] = kind == self.TRUE if kind <= self.FALSE else self.read(kind)
        return found


class Binary:
    """The binary protocol, a bare struct."""

    BOOL, DOUBLE, I32, I64, STRING, STRUCT, LIST = 2, 4, 8, 10, 11, 12, 15

    def __init__(self, data: bytes) -> None:
        self.data = BytesIO(data)

    def whole(self) -> Fields:
        """The one struct; nothing may follow."""
        found = self.fields()
        assert self.data.read() == b""
        return found

    def unpacked(self, form: str) -> Any:
        return struct.unpack(form, self.data.read(struct.calcsize(form)))[0]

    def read(self, kind: int) -> Any:
        if kind == self.STRUCT:
            return self.fields()
        if kind == self.STRING:
            return self.data.read(self.unpacked(">i"))
        if kind == self.LIST:
            item = self.unpacked(">b")
            return [self.read(item) for _ in range(self.unpacked(">i"))]
        return self.unpacked({self.BOOL: ">?", self.DOUBLE: ">d", self.I32: ">i", self.I64: ">q"}[kind])

    def fields(self) -> Fields:
        found: Fields = {}
        while kind := self.unpacked(">b"):
            number = self.unpacked(">h")
            assert number not in found
            found[number] = self.read(kind)
        return found


@dataclass
class Span:
    """A span as Jaeger takes it; ids as OpenTelemetry has them, times in microseconds."""

    trace_id: int
    span_id: int
    parent_id: int
    name: str
    flags: int
    start: int
    duration: int
    tags: dict[str, object]
    references: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    """Kind (1 is FOLLOWS_FROM), trace id, span id."""
    logs: list[tuple[int, dict[str, object]]] = field(default_factory=list[tuple[int, dict[str, object]]])
    """When, and its fields."""


@dataclass
class Batch:
    """What one message brings."""

    service: str
    spans: list[Span]


def batch_of_datagram(data: bytes) -> Batch:
    """What a datagram for the agent's port holds."""
    name, kind, arguments = Compact(data).message()
    assert (name, kind) == ("emitBatch", 4)
    return _batch(arguments[1])


def batch_of_post(data: bytes) -> Batch:
    """What the body of a post to a collector holds."""
    return _batch(Binary(data).whole())


def _batch(fields: Fields) -> Batch:
    return Batch(fields[1][1].decode(), [_span(span) for span in fields[2]])


def _span(fields: Fields) -> Span:
    return Span(
        trace_id=_id(fields[2]) << 64 | _id(fields[1]),
        span_id=_id(fields[3]),
        parent_id=_id(fields[4]),
        name=fields[5].decode(),
        flags=fields[7],
        start=fields[8],
        duration=fields[9],
        tags=_tags(fields.get(10, [])),
        references=[(ref[1], _id(ref[3]) << 64 | _id(ref[2]), _id(ref[4])) for ref in fields.get(6, [])],
        logs=[(log[1], _tags(log[2])) for log in fields.get(11, [])],
    )


def _id(signed: int) -> int:
    return signed & 0xFFFF_FFFF_FFFF_FFFF


def _tags(tags: list[Fields]) -> dict[str, object]:
    """Values by key; the type that a tag states decides which of its fields is read."""
    found: dict[str, object] = {}
    for tag in tags:
        value = tag.get({0: 3, 1: 4, 2: 5, 3: 6, 4: 7}[tag[2]])
        key = tag[1].decode()
        assert key not in found, f"{key} comes twice"
        found[key] = value.decode() if tag[2] == 0 and value is not None else value
    return found
