"""Everything that planning is made of, measured on this machine in a minute or two."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import trio

from benchmarks.frame.machine import describe_machine, versions
from benchmarks.planning import costs
from benchmarks.planning.measuring import api, server, workers
from benchmarks.planning.measuring.instruments import info
from benchmarks.planning.measuring.work import QUEUE, noop
from benchmarks.planning.measuring.worker_child import Order
from benchmarks.servers import servers
from penstock.engine import Client
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

LAZY = ("--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0")
SYNCING = ("--appendonly", "yes", "--appendfsync", "always")
JOBS = 10_000
SECONDS = 2.0
_SLICE = 500
_LOOK = 0.05


async def measure(seconds: float = SECONDS) -> costs.Costs:
    """Ask everybody; a worker is watched for so long at each concurrency."""
    machine = describe_machine()  # before its load is our own
    with tempfile.TemporaryDirectory(prefix="planning-") as name:
        folder = Path(name)
        with servers(folder, LAZY, SYNCING) as (lazy, syncing):
            await lazy.start()
            await syncing.start()
            async with Redis(lazy.url) as redis, Redis(syncing.url) as slow:
                sync = await server.measure_sync(slow, redis)
                life = await measure_bytes(redis, lazy.url)
                serving = await server.measure(redis, lazy.url)
                client = await api.measure_client(redis)
                request, line = await api.measure(lazy.url, folder)
                working = await workers.measure(redis, lazy.url, seconds)
    return costs.Costs(
        date=datetime.now(UTC).date().isoformat(),
        machine=machine,
        versions=versions(),
        server=serving,
        worker=working,
        client=client,
        request=round(request, 1),
        line=round(line, 1),
        sync=round(sync, 3),
        bytes=life,
    )


async def measure_bytes(redis: Redis, url: str) -> costs.Bytes:
    """Of jobs that are submitted in batches and drained by one worker, on a server that had none before."""
    store = RedisStore(redis)
    client = Client(store, max_waiting=0)
    before, empty = await _traffic(redis), await _memory(redis)
    for start in range(0, JOBS, _SLICE):
        await client.submit_many([noop.request(number) for number in range(start, start + _SLICE)])
    full = await _memory(redis)
    async with workers.children(url, 1) as crew:
        await crew[0].take_turn(Order(0.0))
        with trio.fail_after(60):
            while (await store.facts(QUEUE)).ready:
                await crew[0].take_turn(Order(_LOOK))
    after, ended = await _traffic(redis), await _memory(redis)
    received, sent, written = ((new - old) / JOBS for new, old in zip(after, before, strict=True))
    return costs.Bytes(
        received=round(received),
        sent=round(sent),
        append_only=round(written),
        waiting=round((full - empty) / JOBS),
        ended=round((ended - empty) / JOBS),
        arguments=len(msgspec.msgpack.encode({"number": 0})),
    )


async def _memory(redis: Redis) -> float:
    return (await info(redis, "memory"))["used_memory"]


async def _traffic(redis: Redis) -> tuple[float, float, float]:
    stats = await info(redis, "stats")
    file = (await info(redis, "persistence"))["aof_current_size"]
    return stats["total_net_input_bytes"], stats["total_net_output_bytes"], file
