"""A receiver that is away, on a virtual clock: nothing is lost, and nobody hammers it."""

import random

import httpx
import trio
from trio.testing import MockClock

from penstock.engine import JobContext, Module
from penstock.engine.events import JobFinished
from penstock.engine.outcome import Succeeded
from penstock.engine.outgoing import HttpClient, HttpSettings
from penstock.engine.webhooks import Endpoint, Sender, WebhookSettings
from penstock.engine.webhooks.verdict import BACKOFF, RETRIES
from support.work import working
from webhooks.rig import SECRET

DELIVERIES = 100
AWAY = 60.0


async def test_who_is_away_for_a_minute_misses_nothing(autojump_clock: MockClock) -> None:
    """All that was meant for it arrives within minutes; meanwhile its circuit keeps most requests away."""
    arrived: set[str] = set()
    knocks = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal knocks
        if trio.current_time() < AWAY:
            knocks += 1
            raise httpx.ConnectError("away")
        arrived.add(request.headers["webhook-id"])
        return httpx.Response(204)

    settings = WebhookSettings(endpoints={"here": Endpoint("https://hooks.example.com/", (SECRET,))})
    http = HttpClient(HttpSettings(), transport=httpx.MockTransport(answer))
    sender = Sender(settings, http, http, random.Random(1))
    hooks = Module("hooks")

    @hooks.job(retries=RETRIES, backoff=BACKOFF)
    async def tell(ctx: JobContext, number: int) -> int:
        return await sender.send(ctx.id.replace(".", "_"), ctx.attempt, "here", number)

    async with working(hooks) as rig:
        await rig.start_worker(concurrency=10)
        for number in range(DELIVERIES):
            await rig.client.submit(tell, number)
        ended = await rig.ears.wait_for(
            JobFinished,
            count=DELIVERIES,
            where=lambda event: isinstance(event.attempt.outcome, Succeeded),
            within=15 * AWAY,
        )
    assert len(arrived) == DELIVERIES
    assert knocks < DELIVERIES / 2
    assert max(event.attempt.number for event in ended) < RETRIES
