"""From a checked request to a row, and back."""

import math
from typing import Any

import msgspec
from sqlalchemy import Row

from penstock.engine.errors import InvalidRequest
from penstock.engine.limits import MAX_ARGUMENTS
from penstock.engine.names import JOB_NAME, split_job_id
from penstock.engine.operation import Headers
from penstock.engine.options import Options
from penstock.engine.request import Request
from penstock.engine.sql_outbox.schema import VERSION

_LEAST = 0.001
"""Seconds left to a job whose time is up: it is moved all the same, so that its expiry is told as all are."""

_arguments = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_headers = msgspec.json.Decoder(dict[str, str])


class Malformed(ValueError):
    """A row does not hold what a request may be; whoever wrote it was no `SqlOutbox`."""


def row_of(request: Request, job_id: str, headers: Headers, now: float) -> dict[str, Any]:
    """The row for `request`, submitted at `now` (seconds since the epoch), from when its delays count."""
    due = request.run_at if request.run_at is not None else now + request.delay
    return {
        "version": VERSION,
        "id": job_id,
        "queue": request.queue,
        "job": request.job,
        "args": bytes(request.args),
        "headers": msgspec.json.encode(dict(headers)).decode(),
        "tenant": request.tenant,
        "user_name": request.user,
        "priority": request.priority,
        "submitted_ms": round(now * 1000),
        "due_ms": None if request.run_at is None and not request.delay else round(due * 1000),
        "expires_ms": None if request.expires_in is None else math.ceil((now + request.expires_in) * 1000),
        "unique_key": request.unique_key,
        "idempotency_key": request.idempotency_key,
        "durable": request.durable,
        "wait_replicas": request.wait_replicas,
    }


def request_of(row: Row[Any], now: float) -> Request:
    """The request that a row holds, to be sent at `now`; raises `Malformed`."""
    try:
        queue, _ = split_job_id(row.id)
        if queue != row.queue or JOB_NAME.fullmatch(row.job) is None:
            raise Malformed("its id, queue and job do not fit together")
        if len(row.args) > MAX_ARGUMENTS:
            raise Malformed(f"its arguments have {len(row.args)} bytes, at most {MAX_ARGUMENTS} are taken")
        _arguments.decode(row.args)
        headers = _headers.decode(row.headers)
        options = _options(row, now)
        options.check()
    except (InvalidRequest, msgspec.DecodeError, TypeError) as error:
        raise Malformed(str(error)) from error
    return Request(
        job=row.job,
        queue=queue,
        args=msgspec.Raw(row.args),
        priority=row.priority,
        run_at=options.run_at,
        expires_in=options.expires_in,
        unique_key=row.unique_key,
        idempotency_key=row.idempotency_key,
        tenant=row.tenant,
        user=row.user_name,
        durable=bool(row.durable),
        wait_replicas=row.wait_replicas,
        id=row.id,
        headers=headers,
    )


def _options(row: Row[Any], now: float) -> Options:
    left = None if row.expires_ms is None else max(row.expires_ms / 1000 - now, _LEAST)
    return Options(
        queue=row.queue,
        priority=row.priority,
        run_at=None if row.due_ms is None else row.due_ms / 1000,
        expires_in=left,
        unique_key=row.unique_key,
        idempotency_key=row.idempotency_key,
        tenant=row.tenant,
        user=row.user_name,
        wait_replicas=row.wait_replicas,
    )
