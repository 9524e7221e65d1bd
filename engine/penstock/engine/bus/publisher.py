"""What `JobContext.publish` stands on: a bus, and on whose behalf an event is published."""

from typing import Any

import msgspec

from penstock.engine.bus.bus import TENANT, USER, Bus
from penstock.engine.bus.values import event_of
from penstock.engine.context import EventPublisher


class BusPublisher(EventPublisher):
    """Publishes on one bus, in a job or anywhere else."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def publish(
        self,
        topic: str,
        value: Any,
        *,
        key: str | None = None,
        id: str | None = None,  # noqa: A002 - as an event has it
        tenant: str | None = None,
        user: str | None = None,
    ) -> str:
        """Publish `value` as JSON; the id of the event once it is stored. Raises as `Bus.publish`."""
        event = event_of(topic, value, key=key, id=id)
        of = {name: text for name, text in ((TENANT, tenant), (USER, user)) if text is not None}
        await self._bus.publish([msgspec.structs.replace(event, headers=of)] if of else [event])
        return event.id
