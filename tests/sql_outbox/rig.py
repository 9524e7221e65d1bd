"""An application with a database, a broker in memory, and relays between them."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import trio
from sqlalchemy import Engine, Row, select

from penstock.engine import JobContext, Module
from penstock.engine.events import Observers
from penstock.engine.job import Job
from penstock.engine.memory_store import MemoryStore
from penstock.engine.metric import Change, LabelValue
from penstock.engine.names import split_job_id
from penstock.engine.seams import Seams
from penstock.engine.sql_outbox import METRICS, TABLE, Fact, OutboxRelay, OutboxSettings, SqlOutbox
from penstock.engine.store import Store
from support.work import Ears

shop = Module("shop")
WITHIN = 30.0
"""Seconds that anything may take on a machine that is swamped."""


SHIPPED: list[str] = []
"""Ids of jobs, in the order in which they ran in this process; each test looks for its own."""


@shop.job(queue="orders", priority=3)
async def ship(ctx: JobContext, order: int, express: bool = False) -> int:
    SHIPPED.append(ctx.id)
    return order


@shop.job(queue="mail", result_ttl=3600)
async def write(ctx: JobContext, to: str) -> None: ...


class Site:
    """All of it."""

    def __init__(self, nursery: trio.Nursery, settings: OutboxSettings, database: Engine) -> None:
        self.nursery = nursery
        self.settings = settings
        self.database = database
        self.outbox = SqlOutbox()
        self.store = MemoryStore()
        self.relays: list[OutboxRelay] = []
        self.told: list[Fact] = []
        self.ears = Ears()
        self.counts: dict[tuple[str, tuple[LabelValue, ...]], float] = {}

    def relay(self, store: Store | None = None, seams: Seams | None = None, **more: Any) -> OutboxRelay:
        """Start one."""
        known = {name: more.pop(name) for name in ("continued", "kept_for", "max_waiting") if name in more}
        relay = OutboxRelay(
            msgspec.structs.replace(self.settings, **more),
            store if store is not None else self.store,
            seams if seams is not None else Seams(Observers(self.ears)),
            self.told.append,
            **known,
        )
        self.nursery.start_soon(relay.run)
        self.relays.append(relay)
        return relay

    def ship(self, *orders: int) -> list[str]:
        """Submit these orders in one transaction that commits; the ids of their jobs."""
        with self.database.begin() as connection:
            return [self.outbox.submit(connection, ship, order).id for order in orders]

    def rows(self) -> list[Row[Any]]:
        """What is in the table."""
        with self.database.connect() as connection:
            return list(connection.execute(select(TABLE).order_by(TABLE.c.seq)))

    def change(self, statement: Any) -> None:
        """Do something to the table behind everybody's back."""
        with self.database.begin() as connection:
            connection.execute(statement)

    async def job(self, job_id: str) -> Job | None:
        """As the broker has it."""
        return await self.store.look(*split_job_id(job_id))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Until it holds."""
        with trio.fail_after(WITHIN):
            while not condition():  # noqa: ASYNC110 - a database tells nobody
                await trio.sleep(0.005)

    async def moved(self) -> None:
        """Until no row waits; then the relays end, having told of all they did."""
        await self.until(lambda: all(row.aside_ms is not None for row in self.rows()))
        for relay in self.relays:
            relay.drain()
            with trio.fail_after(WITHIN):
                await relay.ended.wait()

    async def at_rest(self) -> list[Row[Any]]:
        """The rows at a moment at which no relay has taken any."""
        with trio.fail_after(WITHIN):
            while True:
                rows = self.rows()
                if all(row.taken_by is None for row in rows):
                    return rows
                await trio.sleep(0.005)

    def count(self, name: str, *labels: LabelValue) -> float:
        """What a metric was told so far: the sum of a counter, the last of a gauge."""
        return self.counts.get((name, labels), 0)

    def hear(self, name: str, change: Change, labels: tuple[LabelValue, ...], number: float) -> None:
        before = 0 if change == "set" else self.counts.get((name, labels), 0)
        self.counts[name, labels] = before + number


@asynccontextmanager
async def at_work(settings: OutboxSettings, database: Engine) -> AsyncGenerator[Site]:
    """Relays still running at the end are cancelled."""
    async with trio.open_nursery() as nursery:
        site = Site(nursery, settings, database)
        unbind = [metric.bind(partial(site.hear, metric.name)) for metric in METRICS]
        try:
            yield site
        finally:
            nursery.cancel_scope.cancel()
            for each in unbind:
                each()
