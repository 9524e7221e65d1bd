"""A process of its own that drains jobs with telemetry on, in rounds, one collector after the other.

Run by `test_collector_away.py`: what the collectors themselves cost, and pytest, is not in its figures.
"""

import json
import os
import sys
import time
from functools import partial
from pathlib import Path

import trio

from benchmarks.drain import drain, noop, submit_bulk
from penstock.engine import Client
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Address, Redis
from penstock.telemetry import Telemetry
from penstock.telemetry.export.start import start_export
from penstock.telemetry.logs.setup import configure_logs
from penstock.telemetry.metrics.families import Metrics

_FLUSH = 10_000  # milliseconds; a bound


def resident() -> int:
    """Bytes of memory that this process has (Linux: proc(5), `statm`)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def main(url: str, jobs: int, rounds: int, endpoints: dict[str, str]) -> None:
    """Print µs of CPU a job, by collector and round, resident bytes by round, and spans lost by collector."""
    with open(os.devnull, "w") as nowhere:  # noqa: ASYNC230 - nothing is there to wait for
        logs = configure_logs(level="info", format="json", stream=nowhere)
        exports = {name: start_export("demo", endpoint) for name, endpoint in endpoints.items()}
        running = {name: Telemetry(logs, Metrics(), export) for name, export in exports.items()}
        cost: dict[str, list[float]] = {name: [] for name in running}
        memory: list[int] = []
        requests = [noop.request(number) for number in range(jobs)]
        async with Redis(Address.parse(url)) as redis:
            store = RedisStore(redis)
            for number in range(rounds):
                for name in (list(running), list(running)[::-1])[number % 2]:  # nobody is always the first
                    telemetry = running[name]
                    began = time.process_time()
                    await submit_bulk(Client(store, telemetry.seams()), requests)
                    await drain(store, telemetry.seams(), jobs)
                    if name == "healthy":  # what it takes to hand the spans over belongs to these jobs
                        flush = partial(exports[name].provider.force_flush, _FLUSH)
                        assert await trio.to_thread.run_sync(flush)
                    cost[name].append((time.process_time() - began) / jobs * 1e6)
                memory.append(resident())
        lost = {name: dict(export.dropped) for name, export in exports.items()}
        async with trio.open_nursery() as nursery:
            for telemetry in running.values():
                nursery.start_soon(telemetry.aclose)
    sys.stdout.write(json.dumps({"cost": cost, "memory": memory, "lost": lost}))


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]))
