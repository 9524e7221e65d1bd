"""A worker that is frozen past its lease, as by a stalled machine, and thawed again."""

import signal

import trio

from e2e.system import connected, ends, logged, runs_as, start_worker
from penstock.engine import Client, JobState
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
            entrance.wait_for(1)
            other = start_worker(start, valkey.url, *OPTIONS)

            frozen.send(signal.SIGSTOP)
            (_, first), (_, second) = entrance.wait_for(2)
            entrance.open()
            [job] = await ends(client, [receipt])
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


async def lease_has_ended(client: Client) -> None:
    """Return when the only worker's lease has run out; nobody tells of that, so the store is asked."""
    with trio.fail_after(30):
        while (await client.store.facts("gated")).workers > 0:  # noqa: ASYNC110 - no event
            await trio.sleep(0.05)
