"""Finished jobs, looked for in the history: by tenant, job, queue, state, time, error and trace."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from quart import Response

from penstock.engine.errors import InvalidRequest, JobNotFound
from penstock.engine.job import JobState
from penstock.http.pipe import current_request, scope_of
from penstock.http.problems import HISTORY_AWAY, NO_HISTORY, Refused
from penstock.http.schemas import ErrorView, check_job_id, json_response, rfc3339, view_error
from penstock.http.tokens import asker_of
from penstock.http.views import Views

if TYPE_CHECKING:  # an optional part: only who keeps one imports it
    from penstock.engine.job_history import Page, PastAttempt, PastJob, Search

DEFAULT_LIMIT = 50


class HistoryReader(Protocol):
    """What is asked of a history; `penstock.engine.job_history.History` can do it."""

    async def search(self, search: "Search") -> "Page":
        """A page of what applies to `search`."""
        ...

    async def read(self, job_id: str) -> "PastJob | None":
        """One finished job with its attempts, or None."""
        ...


class PastAttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that has ended."""

    attempt: int
    state: JobState
    """The job's, after it."""
    started_at: str | None
    ended_at: str
    worker: str | None
    trace_id: str | None
    error: ErrorView | None


class PastJobView(msgspec.Struct, frozen=True, kw_only=True):
    """A finished job. Times are RFC 3339 in UTC with milliseconds."""

    id: str
    queue: str
    job: str
    module: str
    state: JobState
    attempt: int
    """Attempts that have ended."""
    priority: int
    tenant: str | None
    user: str | None
    submitted_at: str
    started_at: str | None
    """Of the last attempt."""
    ended_at: str
    worker: str | None
    trace_id: str | None
    error: ErrorView | None
    attempts: list[PastAttemptView]
    """In order; empty in a list."""


class PastJobs(msgspec.Struct, frozen=True, kw_only=True):
    """Finished jobs, newest first."""

    jobs: list[PastJobView]
    next: str | None
    """Give it as `cursor` for the page behind; null on the last."""


class HistoryRoutes:
    """The handlers of `/v1/history…`."""

    def __init__(self, history: HistoryReader | None, views: Views) -> None:
        self._history = history
        self._views = views

    async def search(self) -> Response:
        """A page of finished jobs."""
        history = self._kept()
        from penstock.engine.job_history import Search

        asked, asker = dict(current_request().args), asker_of(scope_of(current_request()))
        for name, read in _READERS.items():
            if name in asked:
                asked[name] = read(name, asked[name])
        for name in asked:
            if name not in Search.__struct_fields__:
                known = ", ".join(Search.__struct_fields__)
                raise InvalidRequest(f"there is no {name!r:.100} to look for; there are {known}", field=name)
        if (tenant := asker.tenant_for(asked.get("tenant"))) is not None:
            asked["tenant"] = tenant
        try:
            search = msgspec.convert({"limit": DEFAULT_LIMIT, **asked}, Search)
        except msgspec.ValidationError as error:  # all others are texts, or read above
            raise InvalidRequest(f"state {asked['state']!r:.100} is none of a job", field="state") from error

        async def load() -> PastJobs:
            with _answering():
                page = await history.search(search)
            return PastJobs(jobs=[_view(job) for job in page.jobs], next=page.next)

        return await self._views.answer("history", asker.tenant, search, load)

    async def show(self, job_id: str) -> Response:
        """One finished job with its attempts."""
        scope_of(current_request())["penstock.job_id"] = check_job_id(job_id)
        history = self._kept()
        with _answering():
            job = await history.read(job_id)
        if job is None or not asker_of(scope_of(current_request())).sees(job.tenant):
            raise JobNotFound(f"the history has no job {job_id}: it has not ended, or was removed with age")
        return json_response(_view(job))

    def _kept(self) -> HistoryReader:
        if self._history is None:
            raise Refused(NO_HISTORY, "this API was started without --history-url")
        return self._history


@contextmanager
def _answering() -> Generator[None]:
    from penstock.engine.job_history import HistoryRefused, HistoryUnavailable

    try:
        yield
    except (HistoryUnavailable, HistoryRefused) as error:
        raise Refused(HISTORY_AWAY, str(error)) from error


def _moment(name: str, text: str) -> float:
    """RFC 3339 or seconds since the epoch."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(
            f"{name} is {text!r:.100}: expected a time as 2026-01-31T08:30:00Z", field=name
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise InvalidRequest(f"{name} is {text!r:.100}: expected a number", field=name)
    return int(text)


_READERS: dict[str, Callable[[str, str], Any]] = {"since": _moment, "until": _moment, "limit": _number}


def _view(job: "PastJob") -> PastJobView:
    return PastJobView(
        id=job.id,
        queue=job.queue,
        job=job.job,
        module=job.module,
        state=job.state,
        attempt=job.attempt,
        priority=job.priority,
        tenant=job.tenant,
        user=job.user,
        submitted_at=rfc3339(job.submitted_at),
        started_at=None if job.started_at is None else rfc3339(job.started_at),
        ended_at=rfc3339(job.ended_at),
        worker=job.worker,
        trace_id=job.trace_id,
        error=None if job.error is None else view_error(job.error),
        attempts=[_view_attempt(one) for one in job.attempts],
    )


def _view_attempt(one: "PastAttempt") -> PastAttemptView:
    return PastAttemptView(
        attempt=one.attempt,
        state=one.state,
        started_at=None if one.started_at is None else rfc3339(one.started_at),
        ended_at=rfc3339(one.ended_at),
        worker=one.worker,
        trace_id=one.trace_id,
        error=None if one.error is None else view_error(one.error),
    )
