"""What `penstock worker` gives to jobs as `ctx.cache`."""

import urllib.request

from e2e.system import connected, ends
from job_cache.application import price
from penstock.engine.cache import Cache, CacheSettings, RedisCacheStore
from penstock.engine.transport import Redis
from support.processes import Start
from support.redis_server import ValkeyServer
from telemetry.strict_exposition import read


async def test_each_job_has_its_modules_cache_though_nobody_names_its_type(
    start: Start, valkey: ValkeyServer
) -> None:
    """Entries in Redis are the module's, and so are the metrics, which need not be declared anywhere."""
    options = ("--redis", valkey.url, "--metrics-bind", "127.0.0.1:0")
    worker = start("worker", "job_cache.application:shop", *options)
    url = worker.wait_for_line(r"Running on (\S+)")[1]
    async with connected(valkey.url) as client:
        [job] = await ends(client, [await client.submit(price)])
    assert job.result == 1.5
    async with Redis(valkey.url) as link:
        cache = Cache(RedisCacheStore(link), CacheSettings(patience=10))
        assert await cache.for_module("shop").get("rate", type=float) == 1.5
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:  # noqa: ASYNC210 - nobody else here
        reads = read(answer.read(), openmetrics=False)["penstock_cache_reads_total"]
    assert {one.labels["module"] for one in reads.samples} == {"shop"}
    counted = {one.labels["result"]: one.value for one in reads.samples}
    assert counted.pop("miss") == 1
    assert sum(counted.values()) == 1  # `hit_local`, or `hit` on a machine that is swamped
    assert worker.terminate() == 0
