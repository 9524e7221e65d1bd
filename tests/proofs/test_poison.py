"""A job that kills its worker's process, and a hundred others that were held there by chance."""

import signal

from e2e.system import connected, ends
from penstock.engine import JobState
from proofs.application import kill, stand_by
from support.gate import gate
from support.processes import Process, Start
from support.redis_server import ValkeyServer

BYSTANDERS = 100
CRASHES = 3  # `WorkerSettings.max_crashes`


async def test_a_hundred_bystanders_of_a_poison_job_all_succeed(start: Start, valkey: ValkeyServer) -> None:
    """The poison is dead after three crashes, each of its own; only the first one hit anybody else."""

    def start_worker() -> Process:
        options = ("--lease", "1", "--concurrency", str(BYSTANDERS + 1))
        worker = start("worker", "proofs.application:poison", "--redis", valkey.url, *options)
        worker.wait_for_line("worker started")
        return worker

    with gate() as entrance, gate() as trigger:
        async with connected(valkey.url) as client:
            bystander, poison = stand_by.request(gate=entrance.path), kill.request(gate=trigger.path)
            around = [bystander] * (BYSTANDERS // 2)
            receipts = await client.submit_many([*around, poison, *around])
            deaths = [start_worker()]
            entrance.wait_for(BYSTANDERS)
            trigger.wait_for(1)
            trigger.take_down()
            assert deaths[0].wait() == -signal.SIGKILL
            entrance.take_down()
            for _ in range(CRASHES - 1):
                deaths.append(start_worker())
                assert deaths[-1].wait() == -signal.SIGKILL
            survivor = start_worker()
            jobs = await ends(client, receipts)

    assert survivor.terminate() == 0
    culprit = jobs.pop(BYSTANDERS // 2)
    assert (culprit.state, culprit.crashes, culprit.attempt) == (JobState.DEAD, CRASHES, 0)
    assert culprit.error is not None
    assert culprit.error.type == "penstock.WorkerCrashed"
    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * BYSTANDERS
    assert {(job.crashes, job.attempt) for job in jobs} == {(1, 1)}
