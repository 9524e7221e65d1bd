"""Modules handle events as jobs, and jobs publish them."""

from typing import Any

import msgspec
import pytest
from trio.testing import MockClock

from penstock.engine import JobContext, Module, Observers, Registry, Retry, Seams, Worker
from penstock.engine.context import EventPublisher
from penstock.engine.errors import ConfigurationError
from penstock.engine.events import JobFinished
from penstock.engine.job import JobState
from penstock.engine.module_hooks import EventHandler
from support.work import working


class Paid(msgspec.Struct):
    order: str
    cents: int


class Heard(EventPublisher):
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    async def publish(self, topic: str, value: Any, **more: Any) -> str:
        self.events.append({"topic": topic, "value": value, **more})
        return str(more["id"])


def test_a_handler_is_a_job_that_takes_an_event() -> None:
    """Its name is the group's, its one argument's type the event's."""
    module = Module("mail")

    @module.on("orders.paid", queue="mail", retries=9)
    async def thank(ctx: JobContext, event: Paid) -> None: ...

    assert Registry([module]).handlers == [EventHandler("orders.paid", "mail.thank", Paid)]
    assert (thank.policy.queue, thank.policy.retries) == ("mail", 9)
    assert Registry([module]).get("mail.thank") is thank


def test_a_handler_takes_the_event_alone() -> None:
    """More there is not to give."""
    with pytest.raises(ConfigurationError, match="it takes one argument, the event"):

        @Module("mail").on("orders.paid")
        async def thank(ctx: JobContext, event: Paid, often: int) -> None: ...


async def test_a_job_that_is_run_again_publishes_the_same_events(autojump_clock: MockClock) -> None:
    """Under the same ids, on behalf of its tenant and user."""
    module, heard = Module("shop"), Heard()

    @module.job(retries=1)
    async def pay(ctx: JobContext, order: str) -> None:
        await ctx.publish("orders.paid", Paid(order, 700), key=order)
        await ctx.publish("mail.wanted", {"order": order})
        if ctx.attempt == 1:
            raise Retry(delay=1)

    async with working(module) as rig:
        worker = Worker(
            rig.store, Registry([module]), seams=Seams(Observers(rig.ears)), provided={EventPublisher: heard}
        )
        await rig.nursery.start(worker.run)
        receipt = await rig.client.submit(pay.using(tenant="acme", user="ann"), "o1")
        await rig.client.wait(receipt.id, 60)

    first, second = heard.events[:2], heard.events[2:]
    assert first == second
    assert [event["id"] for event in first] == [f"{receipt.id}:1", f"{receipt.id}:2"]
    assert first[0] == {
        "topic": "orders.paid",
        "value": Paid("o1", 700),
        "key": "o1",
        "id": f"{receipt.id}:1",
        "tenant": "acme",
        "user": "ann",
    }


async def test_a_worker_without_a_bus_says_so(autojump_clock: MockClock) -> None:
    """When somebody publishes."""
    module = Module("shop")

    @module.job(retries=0)
    async def pay(ctx: JobContext) -> None:
        await ctx.publish("orders.paid", 1)

    async with working(module) as rig:
        await rig.start_worker()
        receipt = await rig.client.submit(pay)
        job = await rig.client.wait(receipt.id, 60)
        await rig.ears.wait_for(JobFinished)

    assert job.state is JobState.DEAD
    assert job.error is not None
    assert "was given no bus" in job.error.message
