"""What the dispatcher makes of events: one job each, whatever goes wrong on the way."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager

import msgspec
import pytest
import trio
import trio.testing

from bus.rig import WITHIN
from penstock.engine import JobContext, Module
from penstock.engine.bus import (
    BusUnavailable,
    Dispatcher,
    Event,
    Handler,
    MemoryBus,
    ObservedBus,
    Received,
    event_of,
)
from penstock.engine.bus.aside import MemoryAside
from penstock.engine.client import Client
from penstock.engine.errors import ConfigurationError, QueueFull, StoreUnavailable
from penstock.engine.events import EventSetAside, Observers, StoreDown, StoreUp
from penstock.engine.memory_store import MemoryStore
from penstock.engine.operation import Headers, Operation
from penstock.engine.request import Receipt, Request
from penstock.engine.seams import Seams
from support.work import Ears


class Order(msgspec.Struct):
    """What events of these tests hold."""

    number: int


orders = Module("orders")


@orders.job(queue="orders")
async def ship(_ctx: JobContext, order: Order) -> int:
    """The job of one event."""
    return order.number


SHIP = Handler(name="orders.ship", topic="orders", job=ship, type=Order)


class Stored:
    """Takes the place of the client: keeps what was submitted, and fails on demand."""

    def __init__(self) -> None:
        self.submitted: list[tuple[str, str | None, int]] = []
        self.failures: list[Exception] = []
        self._changed = trio.Event()

    async def submit(self, request: Request, event_id: str) -> None:
        """Keep one, or fail as told."""
        await trio.lowlevel.checkpoint()
        if self.failures:
            raise self.failures.pop(0)
        number = msgspec.msgpack.decode(request.args)["order"]["number"]
        self.submitted.append((event_id, request.idempotency_key, number))
        self._changed.set()
        self._changed = trio.Event()

    async def wait_for(self, count: int) -> list[str]:
        """The ids of what was submitted, once there are so many."""
        with trio.fail_after(WITHIN):
            while len(self.submitted) < count:
                await self._changed.wait()
        return [event_id for event_id, _, _ in self.submitted]


@asynccontextmanager
async def dispatching(dispatcher: Dispatcher) -> AsyncGenerator[None]:
    """The dispatcher at work for the length of the block."""
    async with trio.open_nursery() as nursery:
        await nursery.start(dispatcher.run)
        yield
        nursery.cancel_scope.cancel()


def order(number: int, id: str | None = None) -> Event:  # noqa: A002 - as in `Event`
    """An event that the handler can take."""
    return event_of("orders", Order(number), id=id or f"o{number}")


async def test_each_event_becomes_a_job() -> None:
    """Its value is the job's argument; the job's idempotency key is made of handler and event."""
    bus, stored = MemoryBus(), Stored()
    async with dispatching(Dispatcher(bus, [SHIP], stored.submit)):
        await bus.publish([order(1), order(2)])
        await stored.wait_for(2)
    assert stored.submitted == [("o1", "event:orders.ship:o1", 1), ("o2", "event:orders.ship:o2", 2)]


async def test_an_event_that_comes_twice_is_one_job() -> None:
    """Here with the client and a store: the second submission finds the first."""
    bus, client, stored = MemoryBus(), Client(MemoryStore()), Stored()
    receipts: list[Receipt] = []

    async def submit(request: Request, event_id: str) -> None:
        receipts.append(await client.submit_request(request))
        if len(receipts) == 1:
            raise StoreUnavailable("the answer was lost")
        await stored.submit(request, event_id)

    async with dispatching(Dispatcher(bus, [SHIP], submit)):
        await bus.publish([order(1)])
        await stored.wait_for(1)
    assert len(receipts) == 2
    assert receipts[0].id == receipts[1].id


async def test_an_event_is_committed_only_after_its_job_is_stored() -> None:
    """A dispatcher that ends in the middle leaves the event to the next one."""
    bus, stored = MemoryBus(), Stored()
    inside = trio.Event()

    async def hang(_request: Request, _event_id: str) -> None:
        inside.set()
        await trio.sleep_forever()

    async with dispatching(Dispatcher(bus, [SHIP], hang)):
        await bus.publish([order(1)])
        with trio.fail_after(WITHIN):
            await inside.wait()
    async with dispatching(Dispatcher(bus, [SHIP], stored.submit)):
        assert await stored.wait_for(1) == ["o1"]


async def test_an_event_of_another_shape_is_kept_aside_and_holds_up_nobody() -> None:
    """What does not decode stands where people can look at it, is told, and the next event is dispatched."""
    bus, stored, aside, ears = MemoryBus(), Stored(), MemoryAside(), Ears()
    broken = [
        Event(topic="orders", id="not-json", data=b"\xff{"),
        event_of("orders", {"number": "one"}, id="text"),
    ]
    seams = Seams(Observers(ears))
    async with dispatching(Dispatcher(bus, [SHIP], stored.submit, seams, aside=aside)):
        await bus.publish([*broken, order(3)])
        assert await stored.wait_for(1) == ["o3"]
    kept = await aside.look("orders")
    assert [(one.event.id, one.handler) for one in kept] == [
        ("not-json", "orders.ship"),
        ("text", "orders.ship"),
    ]
    assert "number" in kept[1].reason
    told = [EventSetAside("orders", one.handler, one.event.id, one.reason) for one in kept]
    assert ears.of(EventSetAside) == told


async def test_what_is_kept_aside_is_bounded() -> None:
    """The oldest goes first."""
    bus, stored, aside = MemoryBus(), Stored(), MemoryAside(most=2)
    async with dispatching(Dispatcher(bus, [SHIP], stored.submit, aside=aside)):
        await bus.publish([*[event_of("orders", number, id=f"bad{number}") for number in range(5)], order(1)])
        await stored.wait_for(1)
    assert [one.event.id for one in await aside.look("orders")] == ["bad3", "bad4"]


@pytest.mark.parametrize("trouble", [StoreUnavailable("away"), QueueFull("orders", 10, 10)])
async def test_a_store_that_is_away_or_full_is_waited_for(
    trouble: Exception, autojump_clock: trio.testing.MockClock
) -> None:
    """The event is tried again until it is stored, its successors behind it, and the trouble is told once."""
    bus, stored = MemoryBus(), Stored()
    stored.failures = [trouble] * 8
    facts: list[object] = []
    seams = Seams()
    seams.observers.add(facts.append)
    async with dispatching(Dispatcher(bus, [SHIP], stored.submit, seams)):
        await bus.publish([order(1), order(2)])
        assert await stored.wait_for(2) == ["o1", "o2"]
    assert [type(fact) for fact in facts] == [StoreDown, StoreUp]


async def test_each_handler_of_a_topic_gets_every_event() -> None:
    """Their groups are their names."""
    bus, stored = MemoryBus(), Stored()
    handlers = [SHIP, msgspec.structs.replace(SHIP, name="orders.count")]
    async with dispatching(Dispatcher(bus, handlers, stored.submit)):
        await bus.publish([order(1)])
        await stored.wait_for(2)
    assert {key for _, key, _ in stored.submitted} == {"event:orders.ship:o1", "event:orders.count:o1"}


def test_handlers_are_checked_when_the_dispatcher_is_made() -> None:
    """Two of one name would share events; a name must be one that every bus takes."""
    with pytest.raises(ConfigurationError, match=r"two handlers are named orders\.ship"):
        Dispatcher(MemoryBus(), [SHIP, SHIP], Stored().submit)
    with pytest.raises(ConfigurationError, match="cannot name a topic"):
        Dispatcher(MemoryBus(), [msgspec.structs.replace(SHIP, topic="no spaces")], Stored().submit)


async def test_a_long_event_id_still_makes_a_key_that_a_job_may_have() -> None:
    """Keys have a bound; beyond it stands a digest, the same each time."""
    [one, again] = [SHIP.request(order(1, "x" * 200)) for _ in range(2)]
    assert one.idempotency_key == again.idempotency_key != SHIP.request(order(1, "y" * 200)).idempotency_key
    assert one.idempotency_key is not None
    assert len(one.idempotency_key) == 64


class Trace:
    """Records operations, and hands on headers that name the operation they come from."""

    def __init__(self) -> None:
        self.operations: list[tuple[str, str, str]] = []
        """Name, kind, and what was current when it began."""
        self.seen: list[Operation] = []
        self.current = "nothing"

    @contextmanager
    def around(self, operation: Operation) -> Generator[Headers]:
        """One operation, below what is current."""
        self.operations.append((operation.name, operation.kind, self.current))
        self.seen.append(operation)
        with self.as_current(operation.name):
            yield {"traceparent": operation.name}

    @contextmanager
    def continued(self, headers: Headers) -> Generator[None]:
        """What the headers say is current."""
        with self.as_current(headers.get("traceparent", "nothing")):
            yield

    @contextmanager
    def as_current(self, name: str) -> Generator[None]:
        """Inside the block it is."""
        before, self.current = self.current, name
        try:
            yield
        finally:
            self.current = before


async def test_the_job_is_submitted_below_the_publication() -> None:
    """The trace goes by the event's headers from the publisher to the submission."""
    trace, stored = Trace(), Stored()
    seams = Seams(around_operation=trace.around)
    bus = ObservedBus(MemoryBus(), seams)
    below: list[str] = []

    async def submit(request: Request, event_id: str) -> None:
        below.append(trace.current)
        await stored.submit(request, event_id)

    await bus.publish([order(1), order(2)])
    async with dispatching(Dispatcher(bus, [SHIP], submit, seams, continued=trace.continued)):
        await stored.wait_for(2)
    assert trace.operations == [
        ("publish orders", "producer", "nothing"),
        ("receive orders", "consumer", "nothing"),
        ("dispatch orders", "consumer", "publish orders"),
        ("dispatch orders", "consumer", "publish orders"),
    ]
    assert below == ["dispatch orders"] * 2


async def test_operations_are_named_by_the_messaging_conventions() -> None:
    """One message has an id, several have a count; every name stands in the conventions."""
    from opentelemetry.semconv._incubating.attributes import messaging_attributes

    known = {value for name, value in vars(messaging_attributes).items() if name.startswith("MESSAGING_")}
    trace, stored = Trace(), Stored()
    seams = Seams(around_operation=trace.around)
    bus = ObservedBus(MemoryBus(), seams)
    await bus.publish([order(1)])
    await bus.publish([order(2), order(3)])
    async with dispatching(Dispatcher(bus, [SHIP], stored.submit, seams)):
        await stored.wait_for(3)
    one, two, receive, dispatch = (operation.attributes for operation in trace.seen[:4])
    assert one == {
        "messaging.system": "penstock",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": "orders",
        "messaging.message.id": "o1",
    }
    assert two["messaging.batch.message_count"] == 2
    assert receive["messaging.consumer.group.name"] == "orders.ship"
    assert (receive["messaging.operation.type"], receive["messaging.batch.message_count"]) == ("receive", 3)
    assert (dispatch["messaging.operation.type"], dispatch["messaging.message.id"]) == ("process", "o1")
    assert {name for operation in trace.seen for name in operation.attributes} <= known


class Failing:
    """A subscription that cannot commit at first."""

    def __init__(self, bus: MemoryBus) -> None:
        self.system = bus.system
        self.publish = bus.publish
        self.failures = 3
        self.commits: list[Sequence[Received]] = []
        self._bus = bus

    @asynccontextmanager
    async def subscribe(self, group: str, topics: Sequence[str]) -> AsyncGenerator["Failing"]:
        """One member, of the bus beneath."""
        async with self._bus.subscribe(group, topics) as self._inner:
            yield self

    async def receive(self) -> Sequence[Received]:
        """As the bus beneath."""
        return await self._inner.receive()

    async def lag(self) -> dict[str, int]:
        """Nothing."""
        await trio.lowlevel.checkpoint()
        return {}

    async def commit(self, received: Sequence[Received]) -> None:
        """Fail a few times."""
        if self.failures:
            self.failures -= 1
            raise BusUnavailable("away")
        self.commits.append(received)
        await self._inner.commit(received)


async def test_a_commit_that_fails_is_sent_again(autojump_clock: trio.testing.MockClock) -> None:
    """The jobs are not submitted again for it."""
    bus, stored = Failing(MemoryBus()), Stored()
    async with dispatching(Dispatcher(bus, [SHIP], stored.submit)):
        await bus.publish([order(1)])
        await stored.wait_for(1)
        await bus.publish([order(2)])
        assert await stored.wait_for(2) == ["o1", "o2"]
    assert [one.event.id for one in bus.commits[0]] == ["o1"]
