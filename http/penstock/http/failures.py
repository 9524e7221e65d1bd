"""Listing what fails, and how often."""

import msgspec
from quart import Response

from penstock.engine.client import Client
from penstock.engine.errors import InvalidRequest
from penstock.engine.failure_counts import FailureCount, newest_first
from penstock.engine.limits import MAX_FAILURES
from penstock.engine.names import check_queue
from penstock.http.pipe import current_request
from penstock.http.schemas import rfc3339
from penstock.http.views import Views

DEFAULT_LIMIT = 100


class FailureView(msgspec.Struct, frozen=True, kw_only=True):
    """A failure that came once or often; times are RFC 3339 in UTC, by the store's clock."""

    fingerprint: str
    """Equal for equal failures, whatever values their messages show (16 hex digits)."""
    count: int
    queue: str
    job: str | None
    """Null where it is not known, as of jobs whose workers died."""
    type: str
    message: str
    """The first 200 characters of the last one's."""
    first_seen: str
    last_seen: str
    job_id: str
    """An example: the last job that failed so."""
    trace_id: str | None
    """The trace that tells of it, where telemetry was on."""


class FailureList(msgspec.Struct, frozen=True, kw_only=True):
    """Failures by fingerprint, the one seen last first."""

    failures: list[FailureView]


class FailureRoutes:
    """The handler of `/v1/failures`."""

    def __init__(self, client: Client, views: Views) -> None:
        self._store = client.store
        self._views = views

    async def show(self) -> Response:
        """List the failures of one queue, or of all."""
        asked = current_request().args
        limit, queue = _limit(asked.get("limit")), asked.get("queue")
        if queue is not None:
            check_queue(queue)

        async def load() -> FailureList:
            queues = await self._store.queues() if queue is None else [queue]
            counts = [one for name in queues for one in await self._store.failures(name)]
            return FailureList(failures=[_view(one) for one in newest_first(counts)[:limit]])

        return await self._views.answer("failures", None, (limit, queue), load)


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if not 1 <= limit <= MAX_FAILURES:
        raise InvalidRequest(f"limit is {text!r:.100}: expected 1 to {MAX_FAILURES}", field="limit")
    return limit


def _view(one: FailureCount) -> FailureView:
    return FailureView(
        fingerprint=one.fingerprint,
        count=one.count,
        queue=one.queue,
        job=one.job or None,
        type=one.type,
        message=one.message,
        first_seen=rfc3339(one.first_seen / 1000),
        last_seen=rfc3339(one.last_seen / 1000),
        job_id=one.job_id,
        trace_id=one.trace_id,
    )
