"""API and workers, all scraped: what Redis says of a queue is shown by one of them, and then by another."""

import urllib.request

import pytest
import trio

from e2e.probes import listens, telling
from e2e.system import start_api, start_worker
from support.processes import Process, Start
from support.redis_server import ValkeyServer
from telemetry.strict_exposition import read

QUEUE = "gated"


def slots_at(url: str) -> list[float]:
    """The slots of the queue as one process shows them, if it does."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as response:
        families = read(response.read(), openmetrics=False)
    return [s.value for s in families["penstock_queue_slots"].samples if s.labels["queue"] == QUEUE]


async def reporter_of(processes: dict[Process, str]) -> tuple[Process, float]:
    """The process that shows the queue, alone, and its slots; nobody tells when, so they are asked."""
    with trio.fail_after(30):
        while True:
            shown = {
                process: found
                for process, url in processes.items()
                if (found := await trio.to_thread.run_sync(slots_at, url))
            }
            assert len(shown) <= 1
            for process, [slots] in shown.items():
                return process, slots
            await trio.sleep(1.1)  # longer than an answer is kept


@pytest.mark.slow
async def test_one_of_all_processes_shows_a_queue(start: Start, valkey: ValkeyServer) -> None:
    """When it ends another shows it at once, when it is killed after some seconds; slots are all workers'."""
    api, address = start_api(start, valkey.url)
    workers = [
        start_worker(
            start, valkey.url, "--queues", QUEUE, "--concurrency", count, "--metrics-bind", "127.0.0.1:0"
        )
        for count in ("3", "4", "5")
    ]
    processes = {api: address} | {worker: listens(worker) for worker in workers}
    with telling(*processes):
        first, slots = await reporter_of(processes)
        assert (first, slots) == (api, 12)

        assert api.terminate() == 0
        del processes[api]
        await trio.sleep(1.1)
        second, slots = await reporter_of(processes)
        assert slots == 12
        for _ in range(2):  # from its second scrape on it knows how often it is scraped
            await trio.sleep(1.1)
            assert (await reporter_of(processes))[0] is second

        second.kill()
        del processes[second]
        third, slots = await reporter_of(processes)
        assert third is not second
        assert slots in (12, 9, 8, 7)  # the lease of the one that was killed may not be over yet
