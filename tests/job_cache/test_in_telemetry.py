"""What telemetry makes of the cache and of its link, whole: a scrape and a trace."""

import trio
from opentelemetry.trace import SpanKind, StatusCode

from penstock.engine import metric
from penstock.engine.cache import METRICS as CACHE
from penstock.engine.cache import Cache, CacheSettings, RedisCacheStore
from penstock.engine.transport import METRICS as TRANSPORT
from penstock.engine.transport import Redis
from penstock.telemetry.metrics.exposition import Format, render
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.module_metrics import bind_module_metrics
from support.redis_server import ValkeyServer
from telemetry.rig import Rig, attempt
from telemetry.strict_exposition import read


async def test_a_scrape_shows_what_was_counted(valkey: ValkeyServer) -> None:
    """Under the names that docs/cache.md and docs/redis.md give; strict parsers take it."""
    metrics = Metrics()
    own = set(read("".join(render(metrics.registry, Format.TEXT)).encode(), openmetrics=False))
    unbind = bind_module_metrics(metrics, metric.collect((*CACHE, *TRANSPORT)))
    try:
        async with Redis(valkey.url) as link:
            cache = Cache(RedisCacheStore(link), CacheSettings(patience=10, local_ttl=60)).for_module(
                "scraped"
            )
            await cache.get_or_load("k", load, ttl=60, type=int)
            await cache.get("k", type=int)
        shown = {
            form: read(
                "".join(render(metrics.registry, form)).encode(), openmetrics=form is Format.OPENMETRICS
            )
            for form in Format
        }
    finally:
        unbind()
    text = shown[Format.TEXT]
    assert text.keys() - own == {
        f"penstock_{one.name}{'_total' if one.kind == 'counter' else ''}" for one in (*CACHE, *TRANSPORT)
    }
    reads = text["penstock_cache_reads_total"]
    assert reads.value(module="scraped", result="miss") == 1
    assert reads.value(module="scraped", result="hit_local") == 1


async def load() -> int:
    await trio.lowlevel.checkpoint()
    return 1


async def test_commands_are_client_spans_below_the_attempts(valkey: ValkeyServer) -> None:
    """And so are what a load asks others to do, since it runs in the job's own task."""
    rig = Rig()
    async with Redis(valkey.url) as link:
        store = RedisCacheStore(link, rig.telemetry.seams())
        cache = Cache(store, CacheSettings(local_entries=0, patience=10)).for_module("spans")
        with rig.telemetry.around_attempt(attempt()):
            await cache.get_or_load("spans", load, ttl=60, type=int)
            assert await cache.get("spans", type=int) == 1
    spans = rig.spans()
    process = next(span for name, span in spans.items() if name.startswith("process"))
    for name in ("EVALSHA cache_read_or_lock", "EVALSHA cache_fill", "GET"):
        span = spans[name]
        assert span.kind is SpanKind.CLIENT
        assert span.status.status_code is StatusCode.UNSET
        assert span.parent is not None
        assert process.context is not None
        assert span.parent.span_id == process.context.span_id
