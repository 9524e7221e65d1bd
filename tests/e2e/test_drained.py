"""A worker that is asked to end leaves nothing waiting and nothing half done."""

import signal
import time

from e2e.system import connected, ends, logged, runs_as, start_worker
from penstock.engine import JobState
from support.application import gated, nap
from support.gate import gate
from support.processes import Start
from support.redis_server import ValkeyServer


async def test_sigterm(start: Start, valkey: ValkeyServer) -> None:
    """What runs finishes; what was prefetched is taken by another worker within a second; exit code 0."""
    with gate() as entrance:
        options = ("--queues", "bulk,gated", "--concurrency", "8", "--grace", "60")
        leaving = start_worker(start, valkey.url, *options)
        async with connected(valkey.url) as client:
            running = await client.submit_many([gated.request(gate=entrance.path)] * 2)
            entrance.wait_for(2)
            staying = start_worker(start, valkey.url, *options)
            receipts = await client.submit_many([nap.request(seconds=0.005)] * 1500)
            await client.wait(receipts[300].id, timeout=30)

            terminated = time.time()
            leaving.send(signal.SIGTERM)
            jobs = await ends(client, receipts)
            entrance.open()
            finished = await ends(client, running)

    assert leaving.wait() == 0, str(leaving)
    given_back = [line for line in logged(leaving, "jobs given back") if line["reason"] == "drain"]
    assert sum(line["count"] for line in given_back) > 0
    assert {job.state for job in jobs} == {JobState.SUCCEEDED}
    assert all(job.crashes == 0 for job in jobs)
    # Jobs are claimed in order: everything up to the last one that ran there was claimed before it left.
    last = max(place for place, job in enumerate(jobs) if runs_as(leaving, job.result))
    taken_over = [job for job in jobs[: last + 1] if runs_as(staying, job.result)]
    assert max(job.started_at or 0 for job in taken_over) - terminated < 1.0
    assert [(job.state, runs_as(leaving, job.result)) for job in finished] == [(JobState.SUCCEEDED, True)] * 2
