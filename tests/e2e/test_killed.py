"""Processes that die by SIGKILL lose nothing."""

import signal
import time

import httpx
import pytest
import trio

from e2e.system import connected, ends, logged, runs_as, start_api, start_worker
from penstock.engine import JobState
from support.application import nap
from support.processes import Start
from support.redis_server import ValkeyServer

LEASE = 2.0


async def test_killed_worker(start: Start, valkey: ValkeyServer) -> None:
    """Killed in the middle of 500 jobs, its jobs are done by another one within a lease and two seconds."""
    options = ("--queues", "bulk", "--lease", str(LEASE), "--concurrency", "8")
    victim, survivor = (start_worker(start, valkey.url, *options) for _ in range(2))
    async with connected(valkey.url) as client:
        receipts = await client.submit_many([nap.request(seconds=0.02)] * 500)
        await client.wait(receipts[100].id, timeout=30)

        killed = time.time()
        victim.send(signal.SIGKILL)
        jobs = await ends(client, receipts)

    assert {job.state for job in jobs} == {JobState.SUCCEEDED}
    assert max(job.ended_at or 0 for job in jobs) - killed <= LEASE + 2.0
    assert any(runs_as(victim, job.result) for job in jobs)
    (reaping,) = [line for line in logged(survivor, "jobs of lost workers taken over") if line["returned"]]
    assert reaping["returned"] == sum(job.crashes for job in jobs) > 0


# A client that was sending its body when the server died: httpx drops the generator that it was sent from.
@pytest.mark.filterwarnings("ignore:Async generator 'httpx._content.ByteStream:ResourceWarning")
async def test_killed_api(start: Start, valkey: ValkeyServer) -> None:
    """Every job that an API acknowledged before it was killed exists."""
    api, url = start_api(start, valkey.url)
    acknowledged: list[str] = []

    async def submit(http: httpx.AsyncClient) -> None:
        while True:
            try:
                answer = await http.post(f"{url}/v1/jobs", json={"job": "trial.add", "args": {"left": 1}})
            except httpx.TransportError:
                return  # it is dead; whether that last job exists nobody can know
            acknowledged.append(answer.json()["id"])
            if len(acknowledged) == 100:
                api.send(signal.SIGKILL)

    with trio.fail_after(60):
        async with httpx.AsyncClient() as http, trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(submit, http)

    assert api.wait() == -signal.SIGKILL
    async with connected(valkey.url) as client:
        found = [await client.get(job_id) for job_id in acknowledged]
    assert len(acknowledged) >= 100
    assert {job.state for job in found if job is not None} == {JobState.READY}
    assert None not in found
