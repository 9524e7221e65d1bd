"""The module in a worker: jobs become deliveries, and answers become endings."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import trio

from penstock.engine import Client, Dead, JobContext, JobState, Observers, Registry, Retry, Seams, Worker
from penstock.engine.events import JobFinished
from penstock.engine.job import JobError
from penstock.engine.job_ending import JobEnding
from penstock.engine.memory_store import MemoryStore
from penstock.engine.outcome import Succeeded
from penstock.engine.webhooks import Endpoint, WebhookSettings, deliver, of_job_ending, verify, webhooks
from support.http_receiver import Answer, HttpReceiver, http_receiver
from support.work import Ears, virtual_clock
from webhooks.rig import PAYLOAD, SECRET


class Delivering:
    """A worker that delivers to a receiver, and what was heard of it."""

    def __init__(self, store: MemoryStore, client: Client, receiver: HttpReceiver, ears: Ears) -> None:
        self.store = store
        self.client = client
        self.receiver = receiver
        self.ears = ears

    async def one(self, payload: Any = PAYLOAD) -> JobFinished:
        """Deliver once, and wait until the attempt has ended."""
        await self.client.submit(deliver, "here", payload)
        [finished] = await self.ears.wait_for(JobFinished)
        return finished


@asynccontextmanager
async def delivering() -> AsyncGenerator[Delivering]:
    """All in this process; the worker is cancelled at the end."""
    ears = Ears()
    seams = Seams(Observers(ears))
    async with http_receiver() as receiver:
        here = Endpoint(f"{receiver.url}/hook", (SECRET,), allow_private=True)
        settings = WebhookSettings(endpoints={"here": here})
        store = MemoryStore(virtual_clock)
        async with Client(store) as client, trio.open_nursery() as nursery:
            registry = Registry([webhooks])
            provided = {WebhookSettings: settings, Seams: seams}
            worker = Worker(store, registry, seams=seams, provided=provided)
            await nursery.start(worker.run)
            yield Delivering(store, client, receiver, ears)
            nursery.cancel_scope.cancel()


async def test_a_job_is_delivered_with_an_id_made_of_its_own() -> None:
    """Which is the same for each attempt, so that receivers know what came twice."""
    async with delivering() as rig:
        finished = await rig.one()
        [asked] = rig.receiver.asked
    outcome = finished.attempt.outcome
    assert isinstance(outcome, Succeeded)
    assert msgspec.msgpack.decode(outcome.result) == {"status": 200}
    assert verify(asked.headers, asked.body, [SECRET]) == finished.attempt.id.replace(".", "_")
    assert asked.json() == PAYLOAD


async def test_an_endpoint_that_is_gone_makes_a_dead_letter_that_says_so() -> None:
    """At once, whatever attempts are left."""
    async with delivering() as rig:
        rig.receiver.answer = Answer(410)
        finished = await rig.one()
    outcome = finished.attempt.outcome
    assert isinstance(outcome, Dead)
    assert "gone" in outcome.reason


async def test_the_jobs_attempts_are_the_retries_and_come_when_the_receiver_wants() -> None:
    """The store holds the job until then."""
    async with delivering() as rig:
        rig.receiver.answer = Answer(503, {"Retry-After": "600"})
        finished = await rig.one()
        assert len(rig.receiver.asked) == 1
    outcome = finished.attempt.outcome
    assert isinstance(outcome, Retry)
    assert outcome.delay is not None
    assert 600.0 <= outcome.delay <= 660.0


async def test_what_is_stored_of_a_delivery_holds_no_secret() -> None:
    """Nor the endpoint's address: a name stands for both."""
    async with delivering() as rig:
        finished = await rig.one()
        job = await rig.client.get(finished.attempt.id)
    assert job is not None
    assert job.args == {"endpoint": "here", "payload": PAYLOAD}
    stored = repr(job) + repr(finished.attempt)
    assert [each for each in (SECRET, SECRET[6:], "127.0.0.1", "/hook") if each in stored] == []


async def test_its_sender_is_no_argument_that_a_caller_may_give() -> None:
    """So nobody chooses secrets or addresses by submitting."""
    assert deliver.signature.names == ["endpoint", "payload"]
    assert webhooks.name == "webhooks"
    assert deliver.name == "webhooks.deliver"
    assert JobContext not in deliver.signature.needs.values()


ENDED = JobEnding(
    id="media.0123456789abcdef0123456789ab",
    queue="media",
    job="images.thumbnail",
    module="images",
    state=JobState.DEAD,
    attempt=3,
    submitted_at=1_700_000_000.0,
    started_at=1_700_000_001.5,
    ended_at=1_700_000_002.25,
    event_id="1-0",
    tenant="acme",
    error=JobError("images.NoSuchFile", "a.png", "Traceback: secret", fingerprint="f00d"),
    trace_id="0af7651916cd43dd8448eb211c80319c",
)


def test_a_jobs_end_is_told_in_the_schemes_shape() -> None:
    """Type, time and data; of an error all but its traceback."""
    payload = of_job_ending(ENDED)
    assert payload["type"] == "job.dead"
    assert payload["timestamp"] == "2023-11-14T22:13:22.250Z"
    assert payload["data"]["error"] == {
        "type": "images.NoSuchFile",
        "message": "a.png",
        "fingerprint": "f00d",
    }
    assert payload["data"]["started_at"] == "2023-11-14T22:13:21.500Z"
    assert "result" not in payload["data"]
    assert "secret" not in repr(payload)
    deliver.request("here", payload)  # it can be stored as an argument


@pytest.mark.parametrize("result", [None, 7, {"key": ["a", 1.5]}])
def test_a_result_that_is_to_be_told_is_in_it(result: Any) -> None:
    """As JSON would have it."""
    ending = msgspec.structs.replace(
        ENDED, state=JobState.SUCCEEDED, error=None, result=msgspec.msgpack.encode(result)
    )
    payload = of_job_ending(ending)
    assert (payload["type"], payload["data"]["error"]) == ("job.succeeded", None)
    assert msgspec.json.decode(msgspec.json.encode(payload))["data"]["result"] == result
