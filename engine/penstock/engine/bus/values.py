"""From values to events and back: JSON, because others read it too."""

import random
import time
from typing import Any

import msgspec

from penstock.engine.bus.bus import Event, check_event
from penstock.engine.errors import InvalidRequest

_encode = msgspec.json.Encoder().encode


def event_of(
    topic: str,
    value: object,
    *,
    key: str | None = None,
    id: str | None = None,  # noqa: A002 - as in `Event`
    when: float | None = None,
) -> Event:
    """Make an event of anything that msgspec writes as JSON; `when` is seconds since the epoch, else now.

    Whoever may publish it twice, such as a job that is run again, gives an `id` that is the same each time.
    Raises `InvalidRequest` for what cannot be written, and as `check_event` does.
    """
    try:
        data = _encode(value)
    except (TypeError, ValueError) as error:
        raise InvalidRequest(
            f"an event of {topic} cannot be written as JSON: {error}", field="data"
        ) from error
    now = time.time() if when is None else when
    event = Event(topic=topic, id=new_event_id() if id is None else id, data=data, key=key, time=now)
    check_event(event)
    return event


def new_event_id() -> str:
    """Make an id nobody else has, as `names.new_job_id` does: ids sort by age."""
    return f"{time.time_ns() // 1_000_000:012x}{random.getrandbits(64):016x}"


def decoder_of(kind: Any) -> msgspec.json.Decoder[Any]:
    """Reads the data of events into `kind`; raises `msgspec.DecodeError` for what does not fit."""
    return msgspec.json.Decoder(kind)
