"""Events for whoever listens: buses, and the dispatcher that makes jobs of events.

`RedisBus` stands on Redis streams, `MemoryBus` is for tests without a server, and `KafkaBus` is in
`penstock.engine.bus.kafka`, which needs the extra `kafka`. `METRICS` are what all of them count.
"""

from penstock.engine.bus.aside import Aside, MemoryAside, RedisAside, SetAside
from penstock.engine.bus.bus import Bus, Event, Received, Subscription
from penstock.engine.bus.dispatcher import Dispatcher
from penstock.engine.bus.errors import BusRefused, BusUnavailable, UnknownTopic
from penstock.engine.bus.handler import Handler
from penstock.engine.bus.memory import MemoryBus
from penstock.engine.bus.metrics import METRICS
from penstock.engine.bus.observed import ObservedBus
from penstock.engine.bus.redis_bus import RedisBus
from penstock.engine.bus.values import event_of

__all__ = [
    "METRICS",
    "Aside",
    "Bus",
    "BusRefused",
    "BusUnavailable",
    "Dispatcher",
    "Event",
    "Handler",
    "MemoryAside",
    "MemoryBus",
    "ObservedBus",
    "Received",
    "RedisAside",
    "RedisBus",
    "SetAside",
    "Subscription",
    "UnknownTopic",
    "event_of",
]
