"""How an event stands in a Redis stream: five fields that people can read too."""

from typing import Any

import msgspec

from penstock.engine.bus.bus import Event

FIELDS = ("id", "time", "data", "headers", "key")

_read_headers = msgspec.json.Decoder(dict[str, str]).decode
_write_headers = msgspec.json.Encoder().encode


def arguments(event: Event) -> tuple[str | bytes, ...]:
    """What its fields hold, in the order of `FIELDS`; no key is an empty one."""
    return (event.id, repr(event.time), event.data, _write_headers(event.headers), event.key or "")


def decode(topic: str, fields: list[Any]) -> Event:
    """Read an entry's fields; what is missing is empty, so that others may write to the stream too."""
    by_name: dict[bytes, bytes] = dict(zip(fields[::2], fields[1::2], strict=True))
    return Event(
        topic=topic,
        id=by_name.get(b"id", b"").decode(errors="replace"),
        data=by_name.get(b"data", b""),
        headers=_headers(by_name.get(b"headers", b"{}")),
        key=by_name.get(b"key", b"").decode(errors="replace") or None,
        time=_number(by_name.get(b"time", b"0")),
    )


def _headers(text: bytes) -> dict[str, str]:
    try:
        return _read_headers(text)
    except msgspec.DecodeError:
        return {}


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
