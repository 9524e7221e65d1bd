"""What comes with Penstock: a cache for every job, a client for outgoing HTTP for those that ask for one."""

import sys
from collections.abc import AsyncIterator

from penstock.engine.cache import METRICS as CACHE_METRICS
from penstock.engine.cache import Cache, RedisCacheStore
from penstock.engine.metric import Metric
from penstock.engine.module import Module
from penstock.engine.registry import Registry
from penstock.engine.seams import Seams
from penstock.engine.transport import Link


def with_shipped(registry: Registry) -> Registry:
    """The registry, and with it the module that yields an `HttpClient` where somebody asks for one.

    Who can ask for one has imported it, so that nobody else needs its libraries.
    """
    outgoing = sys.modules.get("penstock.engine.outgoing")
    if outgoing is None or outgoing.HttpClient not in registry.needed() - registry.yielded():
        return registry
    return Registry([*registry.modules, _outgoing()])


def shipped(registry: Registry, link: Link, seams: Seams) -> dict[type, object]:
    """What of it needs no lifespan, by its type.

    The cache whether or not anybody asks for it by its type: `JobContext.cache` asks when it is used. It asks
    Redis for nothing until then.
    """
    if Cache in registry.yielded():
        return {}
    return {Cache: Cache(RedisCacheStore(link, seams))}


def shipped_metrics() -> list[Metric]:
    """The metrics of those parts that this process uses."""
    outgoing = sys.modules.get("penstock.engine.outgoing")
    return [*CACHE_METRICS, *([] if outgoing is None else outgoing.METRICS)]


def _outgoing() -> Module:
    from penstock.engine.outgoing import HttpClient, HttpSettings

    module = Module("outgoing", settings=HttpSettings)

    @module.lifespan
    async def client(settings: HttpSettings, seams: Seams) -> AsyncIterator[HttpClient]:
        async with HttpClient(settings, seams) as client:
            yield client

    return module
