"""The sinks of a relay process, opened in the background: one that is away keeps nobody from starting."""

import importlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

import trio
from structlog.typing import FilteringBoundLogger

from penstock.deploy.settings import Settings
from penstock.engine.errors import ConfigurationError, PenstockError
from penstock.engine.job_ending import JobEnding
from penstock.engine.relay import Sink
from penstock.engine.retry import Backoff
from penstock.engine.seams import Seams

if TYPE_CHECKING:  # its libraries are an extra
    from penstock.engine.job_history import Retention

HISTORY = "history"
_BACKOFF = Backoff(base=0.5, cap=10.0)
_DAY = 24 * 3600.0


class Taker(Protocol):
    """What takes endings once it is open."""

    async def take(self, endings: Sequence[JobEnding]) -> None:
        """As `penstock.engine.relay.Sink`."""
        ...


Open = Callable[[], AbstractAsyncContextManager[Taker]]


class SinkNotOpen(PenstockError):
    """The sink cannot take anything yet; what is meant for it waits."""


class OpenedSink:
    """A sink that has to be opened first, and is closed at the end."""

    def __init__(self, name: str, open: Open, log: FilteringBoundLogger) -> None:  # noqa: A002 - what it does
        self.name = name
        self._open = open
        self._log = log
        self._opened: Taker | None = None

    async def run(self) -> None:
        """Keep it open until cancelled; tried again while it is away. Raises `ConfigurationError`."""
        tries = 0
        while True:
            try:
                async with self._open() as self._opened:
                    tries = 0
                    await trio.sleep_forever()
            except ConfigurationError:
                raise
            except Exception as error:  # whatever a sink's own library raises; it may be back later
                tries += 1
                if tries == 1:
                    self._log.warning("sink cannot be opened, trying again", sink=self.name, error=str(error))
            finally:
                self._opened = None
            await trio.sleep(_BACKOFF.ceiling(tries))

    async def take(self, endings: Sequence[JobEnding]) -> None:
        """Hand on; raises `SinkNotOpen` until it is open."""
        if self._opened is None:
            raise SinkNotOpen(f"the sink {self.name} is not open yet")
        await self._opened.take(endings)


def history_sink(settings: Settings, seams: Seams, log: FilteringBoundLogger) -> OpenedSink:
    """The SQL history that the settings name; `ConfigurationError` where the extra `history` is missing."""
    from penstock.engine.job_history import HistorySettings, keep_within, open_history

    retention = retention_of(settings)
    history = HistorySettings(url=settings.history_url or "")

    @asynccontextmanager
    async def writer() -> AsyncGenerator[Taker]:
        async with open_history(history, seams) as opened, trio.open_nursery() as nursery:
            nursery.start_soon(keep_within, opened, retention)
            yield opened.writer
            nursery.cancel_scope.cancel()

    return OpenedSink(HISTORY, writer, log)


def retention_of(settings: Settings) -> "Retention":
    """For how long the settings, which count in days, keep jobs."""
    from penstock.engine.job_history import Retention

    return Retention(
        succeeded=settings.keep_succeeded * _DAY,
        dead=settings.keep_dead * _DAY,
        cancelled=settings.keep_cancelled * _DAY,
        expired=settings.keep_expired * _DAY,
    )


def load_sink(name: str, log: FilteringBoundLogger) -> Sink:
    """The sink that `package.module:attribute` names.

    The attribute is a sink; or a function without arguments with a `name`, whose async context manager gives
    what takes endings. Raises `ConfigurationError`.
    """
    module, _, attribute = name.partition(":")
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"there is no sink {name}: {error}") from error
    known_as = getattr(found, "name", None)
    if not isinstance(known_as, str):
        raise ConfigurationError(f"{name} is no sink: it has no name")
    if callable(getattr(found, "take", None)):
        return cast(Sink, found)
    if callable(found):
        return OpenedSink(known_as, cast(Open, found), log)
    raise ConfigurationError(f"{name} is no sink: it takes nothing")
