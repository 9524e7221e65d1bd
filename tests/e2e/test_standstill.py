"""A server that stands still for longer than every lease, and goes on."""

from e2e.system import connected, ends, logged, start_worker
from penstock.engine import JobState
from support.application import gated
from support.gate import gate
from support.processes import Start
from support.redis_server import ValkeyServer


async def test_standstill(start: Start, valkey: ValkeyServer) -> None:
    """Nobody could beat, so nobody is revoked: handlers go on, and their results stand."""
    with gate() as entrance:
        workers = [start_worker(start, valkey.url, "--queues", "gated", "--lease", "1") for _ in range(2)]
        async with connected(valkey.url) as client:
            receipts = await client.submit_many([gated.request(gate=entrance.path)] * 4)
            entrance.wait_for(4)

            valkey.pause()
            for worker in workers:  # the transport has waited five seconds for an answer
                worker.wait_for_line("store unreachable, trying again")
            valkey.resume()
            for worker in workers:
                worker.wait_for_line("store answers again")
            entrance.open()
            jobs = await ends(client, receipts)

    assert [(job.state, job.crashes) for job in jobs] == [(JobState.SUCCEEDED, 0)] * 4
    for worker in workers:
        assert worker.terminate() == 0
        assert logged(worker, "lease lost, cancelling its jobs") == []
        assert logged(worker, "settlement refused, it came too late") == []
