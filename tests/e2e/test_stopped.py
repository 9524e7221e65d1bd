"""A worker that is frozen past its lease, as by a stalled machine, and thawed again."""

import signal

import trio

from e2e.system import connected, ends, logged, runs_as, start_worker
from penstock.engine import Client, JobState, Receipt
from penstock.engine.names import split_job_id
from penstock.engine.record import Ending, encode_ending
from penstock.engine.store import Settlement
from support.application import add, gated
from support.gate import gate
from support.processes import Start
from support.redis_server import ValkeyServer

OPTIONS = ("--queues", "gated,default", "--lease", "1")


async def test_others_are_there(start: Start, valkey: ValkeyServer) -> None:
    """The other worker's result stands; the late settlement changes nothing and is told in the log."""
    with gate() as entrance:
        frozen = start_worker(start, valkey.url, *OPTIONS)
        async with connected(valkey.url) as client:
            [receipt] = await client.submit_many([gated.request(gate=entrance.path)])
            [(_, holder)] = entrance.wait_for(1)
            late = await late_settlement(client, receipt, holder)
            other = start_worker(start, valkey.url, *OPTIONS)

            frozen.send(signal.SIGSTOP)
            (_, first), (_, second) = entrance.wait_for(2)
            entrance.open()
            [job] = await ends(client, [receipt])
            assert await client.store.settle("gated", holder, [late]) == ["refused"]
            frozen.send(signal.SIGCONT)
            frozen.wait_for_line("settlement refused, it came too late")
            unchanged = await client.get(receipt.id)

            assert other.terminate() == 0
            [later] = await ends(client, await client.submit_many([add.request(left=1)]))

    assert runs_as(frozen, first)
    assert runs_as(other, second)
    assert (job.state, job.result, job.crashes) == (JobState.SUCCEEDED, second, 1)
    assert unchanged == job
    assert [line["job_id"] for line in logged(frozen, "settlement refused, it came too late")] == [receipt.id]
    assert later.state is JobState.SUCCEEDED  # under a new lease the thawed worker goes on
    assert frozen.terminate() == 0


async def test_only_the_thawed_one_is_left_to_reclaim(start: Start, valkey: ValkeyServer) -> None:
    """Its job was taken over by a worker that then died: it drops its own attempt and takes the job back."""
    with gate() as entrance:
        frozen = start_worker(start, valkey.url, *OPTIONS)
        async with connected(valkey.url) as client:
            [receipt] = await client.submit_many([gated.request(gate=entrance.path)])
            [(_, holder)] = entrance.wait_for(1)
            late = await late_settlement(client, receipt, holder)
            other = start_worker(start, valkey.url, *OPTIONS)
            frozen.send(signal.SIGSTOP)
            entrance.wait_for(2)
            other.send(signal.SIGKILL)
            frozen.send(signal.SIGCONT)
            workers = [worker for _, worker in entrance.wait_for(3)]
            assert await client.store.settle("gated", holder, [late]) == ["refused"]
            entrance.open()
            [job] = await ends(client, [receipt])

    assert [runs_as(frozen, worker) for worker in workers] == [True, False, True]
    assert workers[0] != workers[2]  # another id, because the first one lost its lease
    assert (job.state, job.result, job.crashes) == (JobState.SUCCEEDED, workers[2], 2)
    assert logged(frozen, "lease lost, cancelling its jobs")
    assert frozen.terminate() == 0


async def test_nobody_else_is_there(start: Start, valkey: ValkeyServer) -> None:
    """With nobody to take over, the thawed worker itself brings the job to its end, once."""
    with gate() as entrance:
        frozen = start_worker(start, valkey.url, *OPTIONS)
        async with connected(valkey.url) as client:
            [receipt] = await client.submit_many([gated.request(gate=entrance.path)])
            entrance.wait_for(1)

            frozen.send(signal.SIGSTOP)
            await lease_has_ended(client)
            frozen.send(signal.SIGCONT)
            entrance.take_down()
            [job] = await ends(client, [receipt])
            [later] = await ends(client, await client.submit_many([add.request(left=1)]))
            assert frozen.terminate() == 0

            facts = await client.store.facts("gated")

    assert (job.state, later.state) == (JobState.SUCCEEDED, JobState.SUCCEEDED)
    assert runs_as(frozen, job.result)
    assert (facts.ready, facts.scheduled, facts.running, facts.dead) == (0, 0, 0, 0)
    succeeded = [line for line in logged(frozen, "job finished") if line["outcome"] == "succeeded"]
    assert sorted(line["job"] for line in succeeded) == ["trial.add", "trial.gated"]


async def late_settlement(client: Client, receipt: Receipt, worker: str) -> Settlement:
    """What `worker` would send for the job it holds now, to be sent when it is too late."""
    _, suffix = split_job_id(receipt.id)
    beat = await client.store.heartbeat("gated", worker, 1000)
    assert beat is not None
    [token] = [token for token, (held, _) in beat.held.items() if held == suffix]
    return Settlement(suffix, token, JobState.SUCCEEDED, 1, 60_000, encode_ending(Ending(worker, 0, 0)))


async def lease_has_ended(client: Client) -> None:
    """Return when the only worker's lease has run out; nobody tells of that, so the store is asked."""
    with trio.fail_after(30):
        while (await client.store.facts("gated")).workers > 0:  # noqa: ASYNC110 - no event
            await trio.sleep(0.05)
