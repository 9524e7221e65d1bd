"""The relay: one nursery, a delivery for each queue and sink, drain."""

import os
import random
import socket
from collections.abc import Sequence
from contextlib import suppress

import trio

from penstock.engine.errors import ConfigurationError, StoreRefused, StoreUnavailable
from penstock.engine.names import check_queue
from penstock.engine.outbox import StoreWithOutbox, check_sink
from penstock.engine.relay.delivery import Delivery
from penstock.engine.relay.facts import Tell, tell_nobody
from penstock.engine.relay.settings import RelaySettings
from penstock.engine.relay.sink import Sink
from penstock.engine.seams import Seams
from penstock.engine.supervision import Supervisor

FAREWELL = 2.0
"""Seconds that the good-bye may take, of all deliveries together; without it others wait for the silence."""


class Relay:
    """Hands the endings of some queues to some sinks, each at least once, until it is told to drain.

    Any number of relays may do the same at the same time: they share the work.
    """

    def __init__(
        self,
        store: StoreWithOutbox,
        queues: Sequence[str],
        sinks: Sequence[Sink],
        settings: RelaySettings | None = None,
        seams: Seams | None = None,
        tell: Tell = tell_nobody,
    ) -> None:
        """Prepare a relay; nothing is connected yet. Sinks are opened and closed by whoever made them.

        Raises:
            ConfigurationError: there is no queue, no sink, or two sinks of one name.
        """
        self.settings = settings if settings is not None else RelaySettings()
        self.name = f"{socket.gethostname()}-{os.getpid()}-{random.getrandbits(24):06x}"
        names = [check_sink(sink.name) for sink in sinks]
        if not queues or not names or len(set(names)) < len(names):
            raise ConfigurationError(
                f"a relay needs a queue and sinks of different names; queues {list(queues)}, sinks {names}"
            )
        seams = seams if seams is not None else Seams()
        self._supervisor = Supervisor(store, seams.observers, random.Random())
        self._deliveries = [
            Delivery(store.outbox, check_queue(queue), sink, self.name, self.settings, seams, tell)
            for queue in queues
            for sink in sinks
        ]
        self._draining = trio.Event()
        self.ended = trio.Event()
        """Set when everything is handed over or left to others, after a drain."""

    @property
    def ready(self) -> bool:
        """Every sink is registered with every queue, and it is not draining: the readiness probe's answer."""
        return not self._draining.is_set() and all(delivery.begun for delivery in self._deliveries)

    def drain(self) -> None:
        """Finish the batches under way, then end."""
        self._draining.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Relay until drained. Started at once: the store may be away, and is waited for.

        Cancelled from outside it ends where it stands, and other relays have what it had after its silence.
        Raises what a delivery raised that crashed again and again.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drain, nursery.cancel_scope)
            task_status.started()
            async with trio.open_nursery() as deliveries:
                for delivery in self._deliveries:
                    deliveries.start_soon(self._keep, delivery)
            with trio.move_on_after(FAREWELL):
                for delivery in self._deliveries:
                    with suppress(StoreUnavailable, StoreRefused):
                        await delivery.farewell()
            nursery.cancel_scope.cancel()
        self.ended.set()

    async def _drain(self, scope: trio.CancelScope) -> None:
        await self._draining.wait()
        for delivery in self._deliveries:
            delivery.drain()
        scope.deadline = trio.current_time() + self.settings.grace

    async def _keep(self, delivery: Delivery) -> None:
        with delivery.scope:
            await self._supervisor.keep(f"relay {delivery.queue} {delivery.sink.name}", delivery.run)
