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


class HistoryPart:
    """Answers what a `History` answers, once `run` has opened it."""

    def __init__(self, settings: HistorySettings, seams: Seams, log: FilteringBoundLogger) -> None:
        self._settings = settings
        self._seams = seams
        self._log = log
        self._rng = random.Random()
        self._history: History | None = None

    async def run(self) -> None:
        """Keep it open until cancelled.

        Raises `ConfigurationError` where the database is not one of this version's.
        """
        tries = 0
        while True:
            try:
                async with open_history(self._settings, self._seams) as self._history:
                    await trio.sleep_forever()
            except (HistoryUnavailable, HistoryRefused) as error:
                tries += 1
                if tries == 1:
                    self._log.warning("history unreachable, trying again", error=str(error))
            finally:
                self._history = None
            await trio.sleep(_BACKOFF.delay(tries, self._rng))

    async def search(self, search: Search) -> Page:
        """As `History.search`."""
        return await self._opened().search(search)

    async def read(self, job_id: str) -> PastJob | None:
        """As `History.read`."""
        return await self._opened().read(job_id)

    def _opened(self) -> History:
        if self._history is None:
            raise HistoryUnavailable("the history's database has not answered yet")
        return self._history
