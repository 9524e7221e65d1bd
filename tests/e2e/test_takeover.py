"""How long a job waits for another worker after its own was killed."""

import signal
import statistics
from collections.abc import Callable
from typing import Any

from e2e.system import connected, ends, start_worker
from penstock.engine import Client, JobState
from penstock.engine.transport import Redis
from support.application import gated
from support.gate import gate
from support.processes import Start
from support.redis_server import ValkeyServer

LEASE = 1.0
TIMES = 3


async def test_takeover_by_an_idle_worker(
    start: Start, valkey: ValkeyServer, record_property: Callable[[str, object], None]
) -> None:
    """Its job runs again within the lease and one second, from the kill; of three kills, the middle one.

    Both times are the server's, but the other worker has to be given a processor in between.
    """
    options = ("--queues", "gated", "--concurrency", "1", "--lease", str(LEASE))
    took: list[float] = []
    victim = start_worker(start, valkey.url, *options)
    async with connected(valkey.url) as client, Redis(valkey.url) as redis:
        for _ in range(TIMES):
            with gate() as entrance:
                [receipt] = await client.submit_many([gated.request(gate=entrance.path)])
                entrance.wait_for(1)
                idle = start_worker(start, valkey.url, *options)

                killed = await server_time(redis)
                victim.send(signal.SIGKILL)
                entrance.wait_for(2)
                took.append(await claimed_at(client, redis) - killed)
                entrance.open()
                [job] = await ends(client, [receipt])
            assert (job.state, job.crashes) == (JobState.SUCCEEDED, 1)
            victim = idle

    record_property("takeover_seconds", took)
    assert statistics.median(took) <= LEASE + 1.0, took
    assert min(took) > LEASE / 3  # a lease that was renewed at the last moment is still respected


async def server_time(redis: Redis) -> float:
    """The server's clock, in seconds."""
    reply: Any = await redis.execute("TIME")
    return int(reply[0]) + int(reply[1]) / 1e6


async def claimed_at(client: Client, redis: Redis) -> float:
    """When the one job that runs was claimed, by the server's clock; seconds."""
    facts = await client.store.facts("gated")
    assert facts.oldest_running is not None
    return facts.oldest_running / 1000
