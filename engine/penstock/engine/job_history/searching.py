"""Searches: what may be asked, and the query that answers it, newest first and a page at a time."""

from collections.abc import Iterator
from math import isfinite
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, literal_column, or_, select, union_all

from penstock.engine.errors import InvalidRequest
from penstock.engine.job import JobState
from penstock.engine.job_history.cursor import Position, read_cursor
from penstock.engine.job_history.rows import MAX_TEXT, clean, milliseconds
from penstock.engine.job_history.schema import ATTEMPTS, JOBS
from penstock.engine.job_history.views import PastJob

MAX_PAGE = 500
"""Jobs on one page: 1 MB or so where all of them failed."""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for: jobs to which all of it applies. Times are seconds since the epoch."""

    tenant: str | None = None
    job: str | None = None
    queue: str | None = None
    state: JobState | None = None
    since: float | None = None
    """Jobs that ended then or later."""
    until: float | None = None
    """Jobs that ended before."""
    error: str | None = None
    """A part of the type or the message of the last ending's error; letters of ASCII in either case."""
    trace_id: str | None = None
    """Of the job, or of an attempt that failed in a trace of its own."""
    limit: int = 50
    cursor: str | None = None
    """`next` of the page before."""


class Page(msgspec.Struct, frozen=True):
    """Jobs, newest first."""

    jobs: list[PastJob]
    next: str | None
    """The cursor of the page behind; None where this one is the last."""


def query_of(search: Search, *, guided: bool) -> Select[Any]:
    """The query for one page, and one job more to tell whether another follows.

    `guided` is for SQLite: it is told which index to go along.

    Raises:
        InvalidRequest: something cannot be looked for; `field` names it.
    """
    if not 1 <= search.limit <= MAX_PAGE:
        raise InvalidRequest(f"limit {search.limit}: expected 1 to {MAX_PAGE}", field="limit")
    _check(search)
    order = (JOBS.c.ended_ms.desc(), JOBS.c.id.desc())
    return select(JOBS).where(*_conditions(search, guided)).order_by(*order).limit(search.limit + 1)


def _check(search: Search) -> None:
    for field in ("tenant", "job", "queue", "error", "trace_id"):
        text: str | None = getattr(search, field)
        if text is not None and not 0 < len(text) <= MAX_TEXT:
            raise InvalidRequest(f"{field} has {len(text)} characters: expected 1 to {MAX_TEXT}", field=field)
    for field in ("since", "until"):
        time: float | None = getattr(search, field)
        if time is not None and not isfinite(time):
            raise InvalidRequest(f"{field} is {time}: expected seconds since the epoch", field=field)
    if search.state is not None and not search.state.final:
        raise InvalidRequest(
            f"the history knows jobs that have ended, not {search.state.value}", field="state"
        )


def _conditions(search: Search, guided: bool) -> Iterator[ColumnElement[bool]]:
    for place, (column, text) in enumerate(_narrowest_first(search)):
        # SQLite keeps no statistics of itself and takes tenants and queues to be equally many. A plus sign
        # before a column takes it out of the choice: https://www.sqlite.org/optoverview.html#uplus
        operand = literal_column(f"+{column}") if guided and place > 0 else column
        yield operand == clean(text)
    if search.since is not None:
        yield JOBS.c.ended_ms >= milliseconds(search.since)
    if search.until is not None:
        yield JOBS.c.ended_ms < milliseconds(search.until)
    if search.error is not None:
        yield _with_error(clean(search.error))
    if search.trace_id is not None:
        yield _with_trace(clean(search.trace_id))
    if search.cursor is not None:
        yield _behind(read_cursor(search.cursor))


def _narrowest_first(search: Search) -> list[tuple[ColumnElement[Any], str]]:
    """What must be equal to what: the fewer jobs share it, as a rule, the earlier."""
    order = [(JOBS.c.tenant, search.tenant), (JOBS.c.job, search.job), (JOBS.c.queue, search.queue)]
    # Most jobs succeed; of a queue's, few end in another way.
    order.insert(3 if search.state is JobState.SUCCEEDED else 2, (JOBS.c.state, search.state))
    return [(column, str(text)) for column, text in order if text is not None]


def _with_error(part: str) -> ColumnElement[bool]:
    found = or_(
        JOBS.c.error_message.icontains(part, autoescape=True),
        JOBS.c.error_type.icontains(part, autoescape=True),
    )
    return and_(JOBS.c.error_type.is_not(None), found)  # said aloud, so that the index of failures is used


def _with_trace(trace_id: str) -> ColumnElement[bool]:
    jobs = select(JOBS.c.id).where(JOBS.c.trace_id == trace_id)
    attempts = select(ATTEMPTS.c.job_id).where(
        ATTEMPTS.c.trace_id == trace_id, ATTEMPTS.c.error_type.is_not(None)
    )
    return JOBS.c.id.in_(union_all(jobs, attempts))


def _behind(last: Position) -> ColumnElement[bool]:
    """Older, or as old and with a smaller id; the first half alone finds the place in an index."""
    tie = or_(JOBS.c.ended_ms < last.ended_ms, JOBS.c.id < last.id)
    return and_(JOBS.c.ended_ms <= last.ended_ms, tie)
