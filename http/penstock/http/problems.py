"""Errors as RFC 9457 problem details. The only place that turns an exception into an HTTP status."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType
from quart import Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestTimeout

from penstock.engine.errors import (
    Conflict,
    InvalidArguments,
    InvalidRequest,
    JobNotFound,
    NotDurable,
    PayloadTooLarge,
    PenstockError,
    QueueFull,
    ScheduleNotFound,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
    UnknownJob,
)
from penstock.http.pipe import scope_of

CONTENT_TYPE = "application/problem+json"

_log = logging.getLogger("penstock.http")
encode = msgspec.json.Encoder().encode


class Kind(msgspec.Struct, frozen=True):
    """A sort of problem. Its slug is part of the API: clients may tell problems apart by it."""

    slug: str
    status: int
    title: str
    detail: str | None = None
    """Said instead of the error's own words, which would tell strangers about the inside."""
    retry_after: int | None = None
    """Seconds after which the same request may succeed."""

    @property
    def type(self) -> str:
        """The URI that identifies this sort of problem."""
        return f"urn:penstock:problem:{self.slug}"


UNAUTHENTICATED = Kind("unauthenticated", 401, "A valid token is needed")
FORBIDDEN = Kind("forbidden", 403, "The token does not allow this")
MALFORMED_JSON = Kind("malformed-json", 400, "The body is not well-formed JSON")
UNSUPPORTED_MEDIA_TYPE = Kind("unsupported-media-type", 415, "This content type is not accepted here")
NOT_READY = Kind("not-ready", 503, "This process does not accept work now", retry_after=2)
NO_METRICS = Kind("no-metrics", 404, "This process renders no metrics")
NO_HISTORY = Kind("no-history", 422, "No history of finished jobs is kept")
HISTORY_AWAY = Kind(
    "history-unavailable",
    503,
    "The history cannot be read now",
    "The history's database does not answer, or took too long; a narrower search may be in time.",
    retry_after=5,
)
ALREADY_ENDED = Kind("already-ended", 409, "The job has ended already")
STALLED = Kind("stalled", 408, "The rest of the body did not come in time")
INTERNAL = Kind(
    "internal",
    500,
    "The server failed",
    "The server failed to answer this request. Its log says why, under the trace id if there is one.",
)

_ENGINE: Mapping[type[PenstockError], Kind] = {
    InvalidRequest: Kind("invalid-request", 422, "The request asks for something that cannot be"),
    UnknownJob: Kind("unknown-job", 422, "No job of that name is known here"),
    InvalidArguments: Kind("invalid-arguments", 422, "The arguments do not fit the job"),
    PayloadTooLarge: Kind("payload-too-large", 413, "The request is too large"),
    Conflict: Kind("conflict", 409, "The key was used for a different request"),
    JobNotFound: Kind("job-not-found", 404, "There is no such job"),
    ScheduleNotFound: Kind("schedule-not-found", 404, "There is no such schedule"),
    StoreUnavailable: Kind(
        "store-unavailable",
        503,
        "The store cannot be reached",
        "The store does not answer, so it is not known whether the request took effect. "
        "Sent again with the same Idempotency-Key it takes effect once.",
        retry_after=2,
    ),
    NotDurable: Kind(
        "not-durable",
        503,
        "The job is not known to be safe",
        "The job may be stored, but not as safely as the request asks. Sent again with the same "
        "Idempotency-Key it is waited for once more; without one it becomes another job.",
        retry_after=2,
    ),
    QueueFull: Kind(
        "queue-full",
        429,
        "The queue is full",
        retry_after=10,
    ),
    StoreFull: Kind(
        "store-full",
        429,
        "The store is full",
        "The store has no room for more; nothing was stored. Send it again when work has been done.",
        retry_after=10,
    ),
    StoreRefused: Kind(
        "store-refused",
        500,
        "The store refused the operation",
        "The store refused the operation and would refuse it again; the server's log says why.",
    ),
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem detail (RFC 9457 §3.1) with the extension members `field` and `trace_id`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | UnsetType = UNSET
    field: str | UnsetType = UNSET
    """The part of the request that is at fault, where it is one part."""
    trace_id: str | UnsetType = UNSET


class Refused(Exception):
    """Raised by this front end itself, for what the engine has no word for."""

    def __init__(
        self, kind: Kind, detail: str, *, field: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.field = field
        self.headers = headers or {}


def kind_of(error: BaseException) -> Kind:
    """The sort of problem an exception is; `INTERNAL` for everything nobody foresaw."""
    if isinstance(error, Refused):
        return error.kind
    for ancestor in type(error).__mro__:
        if ancestor in _ENGINE:
            return _ENGINE[ancestor]
    return INTERNAL


def headers_of(error: BaseException) -> dict[str, str]:
    """What the answer to an exception says beside the problem itself."""
    headers = dict(error.headers) if isinstance(error, Refused) else {}
    retry_after = kind_of(error).retry_after
    return headers if retry_after is None else headers | {"Retry-After": str(retry_after)}


def problem_of(
    error: BaseException, scope: Mapping[str, Any], *, instance: str | UnsetType = UNSET
) -> Problem:
    """Describe `error` to the client that `scope` belongs to; what is the server's own fault is logged."""
    kind = kind_of(error)
    if kind.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
    return Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=kind.detail or str(error),
        instance=instance,
        field=_field(error) or UNSET,
        trace_id=_trace_id(scope),
    )


def _field(error: BaseException) -> str | None:
    """The part of the request that is at fault, by the name it has over HTTP."""
    field: str | None = getattr(error, "field", None)
    return "Idempotency-Key" if field == "idempotency_key" else field


def _trace_id(scope: Mapping[str, Any]) -> str | UnsetType:
    return scope.get("penstock.trace_id") or UNSET


async def on_error(error: Exception) -> Response:
    """Answer any exception that a route raised."""
    problem = problem_of(error, scope_of(request), instance=quote(request.path))
    return _response(problem, headers_of(error))


async def on_http_exception(error: HTTPException) -> Response:
    """Answer what Quart itself refuses: no such route, a method that is not possible, and the like."""
    status = HTTPStatus(error.code or 500)
    problem = Problem(
        type="about:blank",
        title=status.phrase,
        status=status,
        detail=_explain(error),
        instance=quote(request.path),
        trace_id=_trace_id(scope_of(request)),
    )
    return _response(problem, dict(h for h in error.get_headers() if h[0] != "Content-Type"))


def _explain(error: HTTPException) -> str:
    if isinstance(error, NotFound):
        return f"Nothing is at {request.path}; GET / lists the routes."
    if isinstance(error, MethodNotAllowed):
        return f"{request.path} takes {' and '.join(error.valid_methods or ())}, not {request.method}."
    if isinstance(error, RequestTimeout):
        return STALLED.title
    return error.description or "The request cannot be answered."


def _response(problem: Problem, headers: dict[str, str]) -> Response:
    return Response(encode(problem), status=problem.status, headers=headers, content_type=CONTENT_TYPE)
