"""What the composition root does for metrics."""

import trio
from trio.testing import MockClock

from penstock.deploy.composition import compose
from penstock.deploy.settings import Settings
from penstock.engine import Module, Registry
from penstock.engine.cache import METRICS as CACHE_METRICS
from penstock.engine.cache.metrics import LOADS
from penstock.telemetry.metrics.loop_lag import INTERVAL

NOWHERE = Settings(redis="unix:///nonexistent/valkey.sock", metrics_tenant_label=True)


async def test_metrics_of_modules_are_bound_as_long_as_the_parts_live() -> None:
    """One after the other in one process, each begins at nothing and leaves nothing behind."""
    images = Module("images")
    made = images.counter("thumbnails", "Made.")
    for _ in range(2):
        async with compose(NOWHERE, Registry([images]), role="worker") as parts:
            made.inc()
            family = parts.telemetry.metrics.registry.get("penstock_module_thumbnails_total")
            assert family.get({"module": "images"}) == 1
        made.inc()
        assert family.get({"module": "images"}) == 1


async def test_tenants_are_counted_where_asked_for() -> None:
    """The setting reaches the counters."""
    async with compose(NOWHERE, Registry([]), role="worker") as parts:
        assert "tenant_id" in parts.telemetry.metrics.jobs.started.label_names


async def test_the_loop_is_watched(autojump_clock: MockClock) -> None:
    """What `watch_loop` sees stands in the metrics."""
    async with compose(NOWHERE, Registry([]), role="worker") as parts:
        with trio.move_on_after(3.5 * INTERVAL):
            await parts.watch_loop()
        assert parts.telemetry.metrics.own.loop_lag.labels().observations == 3


async def test_metrics_of_a_part_that_several_use_are_counted_once() -> None:
    """As the cache's in `penstock dev`, where jobs may ask for it and the API's views do."""
    async with compose(NOWHERE, Registry([]), role="dev") as parts:
        parts.bind_metrics(CACHE_METRICS)
        parts.api(trio.Event(), enter_client=False)
        LOADS.inc(module="images", result="loaded")
        family = parts.telemetry.metrics.registry.get("penstock_cache_loads_total")
        assert family.get({"module": "images", "result": "loaded"}) == 1
