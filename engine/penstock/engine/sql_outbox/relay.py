"""The relay of an outbox: one loop that moves rows until it is told to drain."""

import random
import time
from contextlib import nullcontext

import trio

from penstock.engine.errors import ConfigurationError
from penstock.engine.limits import MAX_WAITING, RESULT_TTL
from penstock.engine.operation import Headers
from penstock.engine.seams import Seams
from penstock.engine.sql_outbox.database import Database, open_database
from penstock.engine.sql_outbox.errors import OutboxRefused, OutboxUnavailable
from penstock.engine.sql_outbox.facts import Tell, tell_nobody
from penstock.engine.sql_outbox.metrics import LAG_SECONDS, ROWS
from penstock.engine.sql_outbox.mover import KeptFor, Mover
from penstock.engine.sql_outbox.rests import Rests
from penstock.engine.sql_outbox.settings import OutboxSettings
from penstock.engine.sql_outbox.spans import Continue
from penstock.engine.store import Store
from penstock.engine.supervision import Supervisor

DATABASE = "database"
"""What `Troubled` and `Recovered` call it."""


def _no_trace(_headers: Headers) -> nullcontext[None]:
    return nullcontext()


def _as_declared_by_none(_job: str) -> float:
    return RESULT_TTL


class OutboxRelay:
    """Moves the rows of one outbox to the broker.

    Any number may do the same: in PostgreSQL they share the work, on SQLite they take turns.
    """

    def __init__(
        self,
        settings: OutboxSettings,
        store: Store,
        seams: Seams | None = None,
        tell: Tell = tell_nobody,
        *,
        continued: Continue = _no_trace,
        kept_for: KeptFor = _as_declared_by_none,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        """Prepare a relay; nothing is connected yet.

        `continued` is telemetry's (`Tracing.continued`); `kept_for` tells a job's `result_ttl` by its name.
        """
        self._settings = settings
        self._seams = seams if seams is not None else Seams()
        self._mover = Mover(
            settings,
            store,
            self._seams,
            tell=tell,
            continued=continued,
            kept_for=kept_for,
            max_waiting=max_waiting,
        )
        self.name = self._mover.name
        self._supervisor = Supervisor(store, self._seams.observers, random.Random())
        self._rests = Rests(tell)
        self._draining = trio.Event()
        self._misfit: ConfigurationError | None = None
        self._opened = False
        self._count_at = 0.0
        self.ended = trio.Event()
        """Set when the batch under way is moved, after a drain."""

    @property
    def ready(self) -> bool:
        """The table has been seen, and it is not draining: the readiness probe's answer."""
        return self._opened and not self._draining.is_set()

    def drain(self) -> None:
        """Finish the batch under way, then end."""
        self._draining.set()

    async def run(self) -> None:
        """Move rows until drained, waiting for a database and a broker that are away.

        Cancelled from outside it ends where it stands, and others have what it had taken after the silence.
        Raises `ConfigurationError` for a database without the table, and what the loop raised when it crashed
        again and again.
        """
        await self._supervisor.keep("sql outbox", self._run)
        if self._misfit is not None:
            raise self._misfit
        self.ended.set()

    async def _run(self) -> None:
        while not self._draining.is_set():
            try:
                async with open_database(self._settings, self._seams) as database:
                    await self._work(database)
            except ConfigurationError as error:  # waiting would not mend it
                self._misfit = error
                return
            except (OutboxUnavailable, OutboxRefused) as error:
                await self._pause(self._rests.failed(DATABASE, error))

    async def _work(self, database: Database) -> None:
        self._opened = True
        while not self._draining.is_set():
            if trio.current_time() >= self._count_at:
                await self._count(database)
            moved = await self._mover.move(database)
            self._rests.succeeded(DATABASE)
            if not moved:
                await self._pause(self._settings.poll)

    async def _count(self, database: Database) -> None:
        facts = await database.facts()
        self._count_at = trio.current_time() + self._settings.look
        ROWS.set(facts.waiting, state="waiting")
        ROWS.set(facts.newer, state="newer")
        ROWS.set(facts.aside, state="aside")
        LAG_SECONDS.set(0.0 if facts.oldest is None else max(0.0, time.time() - facts.oldest / 1000))

    async def _pause(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self._draining.wait()
