"""Applications on asyncio submit by `run_sync`: the same row, in the transaction of an `AsyncSession`."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from penstock.engine.sql.settings import SQLITE, database_url
from penstock.engine.sql_outbox import OutboxReceipt, OutboxSettings, SqlOutbox
from sql_outbox.faulty import FaultyStore
from sql_outbox.rig import WITHIN, Site, ship
from sql_outbox.test_submitting import ORDERS
from telemetry.rig import Rig

Application = Callable[[AsyncEngine], Awaitable[Any]]


async def on_asyncio(settings: OutboxSettings, application: Application) -> Any:
    """What `application` returns, in a thread and a loop of its own, with an engine of its own."""

    async def main() -> Any:
        url = database_url(settings.url, "shop")
        if url.get_backend_name() == SQLITE:
            url = url.set(drivername="sqlite+aiosqlite")
        engine = create_async_engine(url, poolclass=NullPool)
        try:
            return await asyncio.wait_for(application(engine), WITHIN)
        finally:
            await engine.dispose()

    return await trio.to_thread.run_sync(lambda: asyncio.run(main()))


async def order(into: AsyncSession | AsyncConnection, outbox: SqlOutbox, number: int) -> OutboxReceipt:
    """As applications do it: a row of theirs, and the job."""
    await into.execute(insert(ORDERS).values(number=number))
    return await into.run_sync(outbox.submit, ship, number)


class Shop:
    """An application that opens a session, or a connection, for each transaction."""

    def __init__(self, engine: AsyncEngine, kind: type[AsyncSession | AsyncConnection]) -> None:
        self._engine = engine
        self._kind = kind
        self._outbox = SqlOutbox()

    def opened(self) -> AsyncSession | AsyncConnection:
        return AsyncSession(self._engine) if self._kind is AsyncSession else self._engine.connect()

    async def order(self, into: AsyncSession | AsyncConnection, number: int) -> str:
        return (await order(into, self._outbox, number)).id

    async def commits(self) -> list[str]:
        """All but what came after a savepoint that is gone."""
        async with self.opened() as into, into.begin():
            kept = [await self.order(into, number) for number in (1, 2)]
            async with into.begin_nested() as savepoint:
                await self.order(into, 3)
                await savepoint.rollback()
        return kept

    async def rolls_back(self) -> None:
        async with self.opened() as into:
            await self.order(into, 4)
            await into.rollback()

    async def fails(self) -> None:
        async with self.opened() as into, into.begin():
            await self.order(into, 5)
            await self.order(into, 1)  # there is one of that number

    async def is_cancelled(self) -> None:
        async with asyncio.timeout(None) as patience, self.opened() as into, into.begin():
            await self.order(into, 6)
            patience.reschedule(0)
            await asyncio.Event().wait()


@pytest.mark.parametrize("kind", [AsyncSession, AsyncConnection])
async def test_what_is_committed_is_moved_once_and_nothing_else(
    site: Site, kind: type[AsyncSession | AsyncConnection]
) -> None:
    """A rollback, that of a savepoint, an error and a cancellation in between leave neither order nor job."""
    ORDERS.create(site.database)

    async def application(engine: AsyncEngine) -> list[str]:
        shop = Shop(engine, kind)
        kept = await shop.commits()
        await shop.rolls_back()
        with pytest.raises(IntegrityError):
            await shop.fails()
        with pytest.raises(TimeoutError):
            await shop.is_cancelled()
        return kept

    kept = await on_asyncio(site.settings, application)
    with site.database.connect() as connection:
        assert list(connection.scalars(select(ORDERS.c.number).order_by(ORDERS.c.number))) == [1, 2]
    assert [row.id for row in site.rows()] == kept

    broker = FaultyStore()
    site.relay(broker)
    site.relay(broker)
    await site.moved()
    assert sorted(broker.sent) == sorted(kept)
    assert (await broker.facts("orders")).ready == 2


async def test_the_trace_of_the_task_that_submits_goes_on_in_the_job(site: Site) -> None:
    """Though the row is written in a greenlet: it has the context of the task."""
    rig = Rig()
    outbox = SqlOutbox(rig.telemetry.seams())
    ORDERS.create(site.database)

    async def checkout(engine: AsyncEngine, number: int) -> OutboxReceipt:
        with rig.telemetry.tracing.step(f"checkout {number}"):
            async with AsyncSession(engine) as session, session.begin():
                return await order(session, outbox, number)

    async def application(engine: AsyncEngine) -> list[OutboxReceipt]:
        return [await checkout(engine, 1), await checkout(engine, 2)]

    receipts: list[OutboxReceipt] = await on_asyncio(site.settings, application)
    spans = rig.spans()
    contexts = [spans[f"checkout {number}"].context for number in (1, 2)]
    traces = [f"{context.trace_id:032x}" for context in contexts if context is not None]
    assert [receipt.trace_id for receipt in receipts] == traces
    assert len(set(traces)) == 2
    for row, trace in zip(site.rows(), traces, strict=True):
        assert json.loads(row.headers)["traceparent"].startswith(f"00-{trace}-")


async def test_an_asynchronous_session_itself_is_refused_with_the_way_to_do_it(site: Site) -> None:
    """Without a word the row would never be written."""

    async def application(engine: AsyncEngine) -> None:
        wrong: Any = AsyncSession(engine)
        with pytest.raises(TypeError, match=r"await session\.run_sync\(outbox\.submit"):
            site.outbox.submit(wrong, ship, 1)
        await wrong.close()

    await on_asyncio(site.settings, application)
    assert site.rows() == []
