"""From events to jobs: each handler's events are received, submitted as jobs, and only then committed."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial

import msgspec
import trio

from penstock.engine.bus.aside import Aside, MemoryAside, SetAside
from penstock.engine.bus.bus import Bus, Received, Subscription
from penstock.engine.bus.errors import BusRefused, BusUnavailable
from penstock.engine.bus.handler import Handler
from penstock.engine.bus.metrics import DISPATCHED, LAG, RECEIVED, SET_ASIDE
from penstock.engine.bus.operations import dispatching, receiving
from penstock.engine.bus.patience import TROUBLES, Patience
from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.engine.events import EventSetAside
from penstock.engine.operation import Headers
from penstock.engine.request import Request
from penstock.engine.seams import Seams

Submit = Callable[[Request, str], Awaitable[object]]
"""Submits the job of the event of that id; returns once it is stored. Its idempotency key is set."""
Continue = Callable[[Headers], AbstractContextManager[object]]
"""Makes the trace that an event's headers hand on the current one for the length of the block."""
LAG_EVERY = 10.0
"""Seconds between two looks at the lag; by them a member of a group is also known to live."""


def _no_trace(_headers: Headers) -> AbstractContextManager[object]:
    return nullcontext()


class Dispatcher:
    """One task for each handler. At least once: a crash between submission and commit submits again, and the
    job's idempotency key makes one job of the two."""

    def __init__(
        self,
        bus: Bus,
        handlers: Sequence[Handler],
        submit: Submit,
        seams: Seams | None = None,
        *,
        continued: Continue = _no_trace,
        aside: Aside | None = None,
        lag_every: float = LAG_EVERY,
    ) -> None:
        """Check the handlers; raises `ConfigurationError`, also where two have one name."""
        names = [handler.name for handler in handlers]
        for handler in handlers:
            handler.check()
            if names.count(handler.name) > 1:
                raise ConfigurationError(f"two handlers are named {handler.name}: they would share events")
        self.aside: Aside = aside if aside is not None else MemoryAside()
        self._bus = bus
        self._handlers = handlers
        self._submit = submit
        self._seams = seams if seams is not None else Seams()
        self._continued = continued
        self._lag_every = lag_every

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Dispatch until cancelled; started once every handler is subscribed.

        Waits for the bus and the store as long as they are away. Raises what a loop raised that crashed
        again and again.
        """
        async with trio.open_nursery() as nursery:
            ready = [trio.Event() for _ in self._handlers]
            for handler, event in zip(self._handlers, ready, strict=True):
                patience = Patience(f"dispatch {handler.name}", self._seams.observers)
                nursery.start_soon(patience.keep, partial(self._run, handler, patience, event.set))
            for event in ready:
                await event.wait()
            task_status.started()

    async def _run(self, handler: Handler, patience: Patience, ready: Callable[[], None]) -> None:
        async with self._bus.subscribe(handler.name, [handler.topic]) as subscription:
            patience.succeeded()
            ready()
            failure: Exception | None = None
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._tell_lag, handler, subscription)
                try:
                    await self._work(handler, subscription, patience)
                except Exception as error:  # as it is, not wrapped in a group
                    failure = error
                nursery.cancel_scope.cancel()
            if failure is not None:
                raise failure

    async def _work(self, handler: Handler, subscription: Subscription, patience: Patience) -> None:
        while True:
            received = await subscription.receive()
            RECEIVED.inc(len(received), topic=handler.topic, group=handler.name)
            events = [one.event for one in received]
            with self._seams.around_operation(receiving(self._bus.system, handler.name, events)):
                for one in received:
                    await self._dispatch(handler, one, patience)
                await self._commit(subscription, received, patience)

    async def _dispatch(self, handler: Handler, received: Received, patience: Patience) -> None:
        """See to one event until it is a job or set aside."""
        while True:
            try:
                result = await self._try(handler, received)
            except TROUBLES as error:  # the events behind it wait too: their order is kept
                await patience.failed(error)
            else:
                patience.succeeded()
                DISPATCHED.inc(topic=handler.topic, handler=handler.name, result=result)
                return

    async def _try(self, handler: Handler, received: Received) -> str:
        event = received.event
        operation = dispatching(self._bus.system, handler.name, event)
        with self._continued(event.headers), self._seams.around_operation(operation):
            try:
                await self._submit(handler.request(event), event.id)
            except (msgspec.DecodeError, InvalidRequest) as error:
                kind = type(error)
                operation.error_type = f"{kind.__module__}.{kind.__qualname__}"
                reason = f"{kind.__name__}: {error}"
                await self.aside.put(SetAside(event, handler.name, reason))
                SET_ASIDE.inc(topic=handler.topic, handler=handler.name)
                told = EventSetAside(handler.topic, handler.name, event.id, reason)
                self._seams.observers.emit(told)
                return "set_aside"
        return "submitted"

    async def _commit(
        self, subscription: Subscription, received: Sequence[Received], patience: Patience
    ) -> None:
        while True:
            try:
                await subscription.commit(received)
            except BusUnavailable as error:
                await patience.failed(error)
            else:
                patience.succeeded()
                return

    async def _tell_lag(self, handler: Handler, subscription: Subscription) -> None:
        try:
            while True:
                await trio.sleep(self._lag_every)
                with suppress(BusUnavailable, BusRefused):  # it has counted that; receiving tells of it
                    lag = await subscription.lag()
                    LAG.set(lag.get(handler.topic, 0), topic=handler.topic, group=handler.name)
        finally:
            LAG.set(0, topic=handler.topic, group=handler.name)  # it is others' to tell now
