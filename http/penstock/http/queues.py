"""How the queues are."""

import msgspec
from quart import Response

from penstock.engine.client import Client
from penstock.engine.store import QueueFacts
from penstock.http.schemas import rfc3339
from penstock.http.views import Views


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """One queue at one moment. Times are RFC 3339 in UTC, by the store's clock."""

    queue: str
    at: str
    """When it was looked at: by this clock something has waited or run for so long."""
    ready: int
    scheduled: int
    """Parked ones included."""
    running: int
    dead: int
    workers: int
    slots: int
    """Jobs that its workers can run at once; what serves several queues counts in each."""
    oldest_ready: str | None
    """Since when the job has been due that has waited longest."""
    oldest_running: str | None
    """When the job was claimed that has run longest."""
    next_due: str | None
    """When the next scheduled job is due."""


class QueueList(msgspec.Struct, frozen=True, kw_only=True):
    """Every queue that was ever used, by name."""

    queues: list[QueueView]


class QueueRoutes:
    """The handler of `/v1/queues`."""

    def __init__(self, client: Client, views: Views) -> None:
        self._store = client.store
        self._views = views

    async def show(self) -> Response:
        """List all queues."""
        return await self._views.answer("queues", None, None, self._load)

    async def _load(self) -> QueueList:
        names = await self._store.queues()
        return QueueList(queues=[_view(await self._store.facts(name)) for name in names])


def _view(facts: QueueFacts) -> QueueView:
    return QueueView(
        queue=facts.queue,
        at=rfc3339(facts.now / 1000),
        ready=facts.ready,
        scheduled=facts.scheduled,
        running=facts.running,
        dead=facts.dead,
        workers=facts.workers,
        slots=facts.slots,
        oldest_ready=_moment(facts.oldest_ready),
        oldest_running=_moment(facts.oldest_running),
        next_due=_moment(facts.next_due),
    )


def _moment(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else rfc3339(milliseconds / 1000)
