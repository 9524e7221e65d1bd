"""What others hear of jobs' ends: on the bus and by webhooks, from the relay."""

import json

import trio

from e2e.system import connected
from penstock.engine.webhooks import verify
from support.http_receiver import http_receiver
from support.listening import end
from support.processes import Start
from support.redis_server import ValkeyServer

APP = "support.listening:listening"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


async def test_others_hear_how_a_job_ended(start: Start, valkey: ValkeyServer) -> None:
    """A handler of the topic `penstock.jobs`, and whoever has a webhook; each of each end."""
    async with http_receiver() as receiver:
        endpoint = {"billing": {"url": receiver.url, "secrets": [SECRET], "allow_private": True}}
        hooks = {"PENSTOCK_MODULE_WEBHOOKS_ENDPOINTS": json.dumps(endpoint)}
        relay = start(
            "relay", APP, "--redis", valkey.url, "--events", "--webhook", "billing", "--queues", "default"
        )
        relay.wait_for_line("relay started")
        worker = start("worker", APP, "--redis", valkey.url, "--modules", "webhooks", **hooks)
        worker.wait_for_line("worker started")
        async with connected(valkey.url) as client:
            await client.submit(end)
            await client.submit(end.using(), well=False)
        for words in ("listening.heard.*succeeded", "webhooks.deliver.*succeeded"):
            await trio.to_thread.run_sync(worker.wait_for_line, words)
        assert [relay.terminate(), worker.terminate()] == [0, 0]

    [asked] = receiver.asked
    verify(asked.headers, asked.body, [SECRET])
    assert (asked.json()["type"], asked.json()["data"]["job"]) == ("job.succeeded", "listening.end")
