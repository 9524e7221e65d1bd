"""An application whose one job touches everything that jobs touch; run by processes of tests."""

from collections.abc import AsyncIterator

import msgspec
import trio
from sqlalchemy import Engine, create_engine, text

from penstock.engine import PROVIDED, JobContext, Module
from penstock.engine.outgoing import HttpClient
from penstock.engine.seams import Seams
from penstock.engine.sql.instrumentation import instrument


class JourneySettings(msgspec.Struct):
    """Where it leads."""

    database: str
    service: str


journey = Module("journey", settings=JourneySettings)


@journey.lifespan
async def database(settings: JourneySettings, seams: Seams) -> AsyncIterator[Engine]:
    """Connections to PostgreSQL."""
    engine = create_engine(settings.database.replace("postgresql://", "postgresql+psycopg://"))
    instrument(engine, seams)
    yield engine
    engine.dispose()


@journey.job
async def travel(
    ctx: JobContext,
    who: str,
    settings: JourneySettings = PROVIDED,
    engine: Engine = PROVIDED,
    http: HttpClient = PROVIDED,
) -> int:
    """Read a database, cache what was read, publish it and tell a service."""

    def read() -> int:
        with engine.connect() as connection:
            return int(connection.execute(text("SELECT 6 * 7 AS answer")).scalar_one())

    async def load() -> int:
        return await trio.to_thread.run_sync(read)

    answer = await ctx.cache.get_or_load("answer", load, ttl=60, type=int)
    await ctx.publish("journeys.ended", {"who": who, "answer": answer})
    response = await http.get(f"{settings.service}/told")
    return response.status
