"""A bus whose publications are operations: a producer span each, and counted."""

from collections.abc import Generator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager

import msgspec

from penstock.engine.bus.bus import Bus, Event, Subscription, check_event
from penstock.engine.bus.errors import BusUnavailable
from penstock.engine.bus.metrics import PUBLISHED
from penstock.engine.bus.operations import publishing
from penstock.engine.seams import Seams


class ObservedBus:
    """Implements `Bus` on another one; what it publishes carries the trace on."""

    def __init__(self, bus: Bus, seams: Seams) -> None:
        self._bus = bus
        self._seams = seams

    @property
    def system(self) -> str:
        """See `Bus.system`."""
        return self._bus.system

    async def publish(self, events: Sequence[Event]) -> None:
        """See `Bus.publish`; one operation for each topic."""
        by_topic: dict[str, list[Event]] = {}
        for event in events:
            check_event(event)
            by_topic.setdefault(event.topic, []).append(event)
        for topic, of_topic in by_topic.items():
            with (
                _counted(topic, len(of_topic)),
                self._seams.around_operation(publishing(self.system, of_topic)) as trace,
            ):
                await self._bus.publish(
                    [msgspec.structs.replace(event, headers={**event.headers, **trace}) for event in of_topic]
                )

    def subscribe(self, group: str, topics: Sequence[str]) -> AbstractAsyncContextManager[Subscription]:
        """See `Bus.subscribe`."""
        return self._bus.subscribe(group, topics)


@contextmanager
def _counted(topic: str, count: int) -> Generator[None]:
    result = "cancelled"
    try:
        yield
        result = "published"
    except BusUnavailable:
        result = "unavailable"
        raise
    except Exception:
        result = "refused"
        raise
    finally:
        PUBLISHED.inc(count, topic=topic, result=result)
