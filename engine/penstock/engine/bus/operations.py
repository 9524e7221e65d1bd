"""What buses and dispatchers do, in the words of the messaging conventions."""

from collections.abc import Sequence

from penstock.engine.bus.bus import Event
from penstock.engine.operation import Operation, Value


def publishing(system: str, events: Sequence[Event]) -> Operation:
    """Events of one topic are published."""
    return Operation(
        name=f"publish {events[0].topic}",
        kind="producer",
        attributes=_attributes(system, events, name="publish", kind="send"),
    )


def receiving(system: str, group: str, events: Sequence[Event]) -> Operation:
    """Events of one topic have come for a group, and are dealt with until they are committed."""
    attributes = _attributes(system, events, name="receive", kind="receive")
    attributes["messaging.consumer.group.name"] = group
    return Operation(name=f"receive {events[0].topic}", kind="consumer", attributes=attributes)


def dispatching(system: str, group: str, event: Event) -> Operation:
    """A job is made of an event."""
    attributes = _attributes(system, [event], name="dispatch", kind="process")
    attributes["messaging.consumer.group.name"] = group
    return Operation(name=f"dispatch {event.topic}", kind="consumer", attributes=attributes)


def _attributes(system: str, events: Sequence[Event], *, name: str, kind: str) -> dict[str, Value]:
    attributes: dict[str, Value] = {
        "messaging.system": system,
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
        "messaging.destination.name": events[0].topic,
    }
    if len(events) == 1:
        attributes["messaging.message.id"] = events[0].id
    else:  # a count on a span of one message is not allowed
        attributes["messaging.batch.message_count"] = len(events)
    return attributes
