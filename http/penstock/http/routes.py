"""The table of routes: what there is, what it takes and what it answers. Pure data.

The app binds a handler to each name, `GET /` and the OpenAPI document are read off it.
"""

from typing import Any

import msgspec

from penstock.http.failures import FailureList
from penstock.http.history import PastJobs, PastJobView
from penstock.http.queues import QueueList
from penstock.http.schedules import ScheduleList
from penstock.http.schemas import JSON, NDJSON, BatchLine, CancelView, JobView, Submission, Submitted
from penstock.http.tokens import Scope


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """Something a request carries outside its body."""

    name: str
    place: str
    """`path`, `query` or `header`."""
    type: Any
    description: str


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One method on one path."""

    name: str
    method: str
    path: str
    """With `{id}` for the variable part; the telemetry middleware's low-cardinality name of the route."""
    summary: str
    answers: dict[int, Any]
    """The type of the JSON answer by status; None where it is not JSON. Problems go without saying."""
    answers_with: str = JSON
    accepts: dict[str, Any] = {}
    """The type of the body by content type."""
    parameters: tuple[Parameter, ...] = ()
    scope: Scope | None = None
    """What a token must allow; None: any valid one will do."""
    whole: bool = False
    """Whether it is about all tenants at once, so that a token for one of them will not do."""
    open: bool = False
    """Whether no token is asked for."""


_ID = Parameter(name="id", place="path", type=str, description="The job's id, as the submission answered it")
_SCHEDULE = Parameter(name="name", place="path", type=str, description="The schedule's name, module.name")
_KEY = Parameter(
    name="Idempotency-Key",
    place="header",
    type=str,
    description="Sent again with the same key and content, the request takes effect once; "
    "with the same key and other content it is refused. Line n of a batch has the key `<key>:<n>`.",
)
_TIMEOUT = Parameter(
    name="timeout", place="query", type=float, description="Seconds, 0 to 60; 30 if left out"
)
_QUEUE = Parameter(name="queue", place="query", type=str, description="Of this queue only; else of all")
_LIMIT = Parameter(
    name="limit", place="query", type=int, description="At most so many, 1 to 500; 100 if left out"
)
_SEARCH = tuple(
    Parameter(name=name, place="query", type=kind, description=description)
    for name, kind, description in (
        ("tenant", str, "Of this tenant"),
        ("job", str, "Of this name, module.job"),
        ("queue", str, "Of this queue"),
        ("state", str, "In this state: succeeded, dead, cancelled or expired"),
        ("since", str, "That ended then or later: RFC 3339, or seconds since the epoch"),
        ("until", str, "That ended before"),
        ("error", str, "Whose error's type or message has this in it"),
        ("trace_id", str, "In this trace, or with an attempt in it"),
        ("limit", int, "At most so many, 1 to 500; 50 if left out"),
        ("cursor", str, "`next` of the page before"),
    )
)
_STATUS = dict[str, str]

ROUTES = (
    Route(
        name="submit",
        method="POST",
        path="/v1/jobs",
        summary="Submit one job; 200 instead of 202 if an older job stands for it",
        accepts={JSON: Submission},
        answers={202: Submitted, 200: Submitted},
        parameters=(_KEY,),
        scope="submit",
    ),
    Route(
        name="submit_batch",
        method="POST",
        path="/v1/jobs/batch",
        summary="Submit many jobs, answered one line each, in order, while they are being read",
        accepts={NDJSON: Submission, JSON: list[Submission]},
        answers={200: BatchLine},
        answers_with=NDJSON,
        parameters=(_KEY,),
        scope="submit",
    ),
    Route(
        name="show",
        method="GET",
        path="/v1/jobs/{id}",
        summary="Look at one job",
        answers={200: JobView},
        parameters=(_ID,),
        scope="read",
    ),
    Route(
        name="wait",
        method="GET",
        path="/v1/jobs/{id}/wait",
        summary="Wait for the end of one job; answers with the job, ended or not",
        answers={200: JobView},
        parameters=(_ID, _TIMEOUT),
        scope="read",
    ),
    Route(
        name="cancel",
        method="POST",
        path="/v1/jobs/{id}/cancel",
        summary="End a waiting job, or ask the worker that runs it to stop; 409 if it has ended",
        answers={200: CancelView},
        parameters=(_ID,),
        scope="operate",
    ),
    Route(
        name="queues",
        method="GET",
        path="/v1/queues",
        summary="Every queue: what waits, runs and is dead, and who serves it",
        answers={200: QueueList},
        scope="read",
        whole=True,
    ),
    Route(
        name="schedules",
        method="GET",
        path="/v1/schedules",
        summary="What comes by itself: when each is due next, and how its last job ended",
        answers={200: ScheduleList},
        scope="read",
        whole=True,
    ),
    Route(
        name="pause_schedule",
        method="POST",
        path="/v1/schedules/{name}/pause",
        summary="Hold a schedule; what comes meanwhile is not caught up with",
        answers={200: _STATUS},
        parameters=(_SCHEDULE,),
        scope="operate",
        whole=True,
    ),
    Route(
        name="resume_schedule",
        method="POST",
        path="/v1/schedules/{name}/resume",
        summary="Let a schedule go on with its next moment",
        answers={200: _STATUS},
        parameters=(_SCHEDULE,),
        scope="operate",
        whole=True,
    ),
    Route(
        name="forget_schedule",
        method="POST",
        path="/v1/schedules/{name}/forget",
        summary="Drop what is known of a schedule; one that workers still declare begins anew",
        answers={200: _STATUS},
        parameters=(_SCHEDULE,),
        scope="operate",
        whole=True,
    ),
    Route(
        name="fire_schedule",
        method="POST",
        path="/v1/schedules/{name}/fire",
        summary="Submit a schedule's job now, beside its moments; 200 if an older job stands for it",
        answers={202: Submitted, 200: Submitted},
        parameters=(_SCHEDULE,),
        scope="operate",
        whole=True,
    ),
    Route(
        name="failures",
        method="GET",
        path="/v1/failures",
        summary="What fails and how often, by fingerprint, the last seen first",
        answers={200: FailureList},
        parameters=(_QUEUE, _LIMIT),
        scope="read",
        whole=True,
    ),
    Route(
        name="history",
        method="GET",
        path="/v1/history",
        summary="Finished jobs, newest first, to which all of it applies; 422 where no history is kept",
        answers={200: PastJobs},
        parameters=_SEARCH,
        scope="read",
    ),
    Route(
        name="past",
        method="GET",
        path="/v1/history/{id}",
        summary="One finished job with its attempts",
        answers={200: PastJobView},
        parameters=(_ID,),
        scope="read",
    ),
    Route(name="alive", method="GET", path="/healthz", summary="Liveness", answers={200: _STATUS}, open=True),
    Route(
        name="ready",
        method="GET",
        path="/readyz",
        summary="Readiness; 503 names what is wrong",
        answers={200: _STATUS},
        open=True,
    ),
    Route(
        name="metrics",
        method="GET",
        path="/metrics",
        summary="Metrics for Prometheus, in the format that is accepted",
        answers={200: None},
        answers_with="text/plain",
        scope="read",
        whole=True,
    ),
    Route(name="contract", method="GET", path="/openapi.json", summary="This document", answers={200: dict}),
    Route(name="index", method="GET", path="/", summary="The routes", answers={200: dict}),
)
