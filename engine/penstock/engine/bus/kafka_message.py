"""How an event stands in a Kafka message: its value, key and time are Kafka's own, its id is a header."""

from typing import Any, cast

from confluent_kafka import Message

from penstock.engine.bus.bus import Event

ID = "penstock-event-id"


def arguments(event: Event) -> dict[str, Any]:
    """What a producer is given.

    Without a key the id takes its place: so the same event goes to the same partition each time, where
    whoever receives it a second time can tell.
    """
    headers = [(name, value.encode()) for name, value in event.headers.items()]
    return {
        "topic": event.topic,
        "value": event.data,
        "key": (event.id if event.key is None else event.key).encode(),
        "headers": [(ID, event.id.encode()), *headers],
        "timestamp": round(event.time * 1000),
    }


def decode(message: Message) -> Event:
    """Read a message, whoever wrote it: without our header its place is its id."""
    topic = message.topic() or ""
    headers = _headers(message)
    event_id = headers.pop(ID, None) or f"{topic}-{message.partition()}-{message.offset()}"
    key = message.key()
    text = None if key is None else key.decode(errors="replace")
    _, milliseconds = message.timestamp()
    return Event(
        topic=topic,
        id=event_id,
        data=message.value() or b"",
        headers=headers,
        key=None if text == event_id else text,
        time=milliseconds / 1000,
    )


def _headers(message: Message) -> dict[str, str]:
    found = cast(Any, message.headers()) or []  # a list of pairs, or a dict: as it was written
    pairs = found.items() if isinstance(found, dict) else found
    return {
        name.lower(): value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
        for name, value in pairs
    }
