"""The history as the API has it: opened in the background, so that a database that is away keeps nobody from
starting, and closed with the API."""

import random

import trio
from structlog.typing import FilteringBoundLogger

from penstock.engine.job_history import (
    History,
    HistoryRefused,
    HistorySettings,
    HistoryUnavailable,
    Page,
    PastJob,
    Search,
    open_history,
)
from penstock.engine.retry import Backoff
from penstock.engine.seams import Seams

_BACKOFF = Backoff(base=0.5, cap=10.0)
OPENS_WITHIN = 2.0
"""Seconds that who asks waits for a history that is being opened: the first request may come before it is."""


class HistoryPart:
    """Answers what a `History` answers, once `run` has opened it."""

    def __init__(self, settings: HistorySettings, seams: Seams, log: FilteringBoundLogger) -> None:
        self._settings = settings
        self._seams = seams
        self._log = log
        self._rng = random.Random()
        self._history: History | None = None
        self._opened = trio.Event()

    async def run(self) -> None:
        """Keep it open until cancelled.

        Raises `ConfigurationError` where the database is not one of this version's.
        """
        tries = 0
        while True:
            try:
                async with open_history(self._settings, self._seams) as self._history:
                    self._opened.set()
                    await trio.sleep_forever()
            except (HistoryUnavailable, HistoryRefused) as error:
                tries += 1
                if tries == 1:
                    self._log.warning("history unreachable, trying again", error=str(error))
            finally:
                self._history = None
                self._opened = trio.Event()
            await trio.sleep(_BACKOFF.delay(tries, self._rng))

    async def search(self, search: Search) -> Page:
        """As `History.search`."""
        return await (await self._open()).search(search)

    async def read(self, job_id: str) -> PastJob | None:
        """As `History.read`."""
        return await (await self._open()).read(job_id)

    async def _open(self) -> History:
        with trio.move_on_after(OPENS_WITHIN):
            await self._opened.wait()
        if self._history is None:
            raise HistoryUnavailable("the history's database has not answered yet")
        return self._history
