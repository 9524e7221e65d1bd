"""What comes with Penstock and is given to jobs that ask for it: the cache, a client for outgoing HTTP."""

import sys
from collections.abc import AsyncIterator

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
    """What of it needs no lifespan, by its type."""
    cache = sys.modules.get("penstock.engine.cache")
    if cache is None or cache.Cache not in registry.needed() - registry.yielded():
        return {}
    return {cache.Cache: cache.Cache(cache.RedisCacheStore(link, seams))}


def shipped_metrics() -> list[Metric]:
    """The metrics of those parts that this process uses."""
    names = ("penstock.engine.cache", "penstock.engine.outgoing")
    return [metric for name in names if name in sys.modules for metric in sys.modules[name].METRICS]


def _outgoing() -> Module:
    from penstock.engine.outgoing import HttpClient, HttpSettings

    module = Module("outgoing", settings=HttpSettings)

    @module.lifespan
    async def client(settings: HttpSettings, seams: Seams) -> AsyncIterator[HttpClient]:
        async with HttpClient(settings, seams) as client:
            yield client

    return module
