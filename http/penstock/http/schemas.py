"""What goes over the wire: JSON in, JSON out, both by msgspec and both typed."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import trio
from msgspec import UNSET, UnsetType
from quart import Response
from werkzeug.exceptions import RequestTimeout

from penstock.engine.errors import InvalidRequest, PayloadTooLarge
from penstock.engine.job import Job, JobError, JobState
from penstock.engine.names import split_job_id
from penstock.engine.options import Options
from penstock.engine.registry import Registry
from penstock.engine.request import Receipt, Request
from penstock.http.pipe import BoundedBody, BoundedRequest
from penstock.http.problems import MALFORMED_JSON, UNSUPPORTED_MEDIA_TYPE, Problem, Refused
from penstock.http.tokens import Token

JSON = "application/json"
NDJSON = "application/x-ndjson"

_FIELD = re.compile(r"(?:field|`\$\.)[ `]*([A-Za-z_][A-Za-z0-9_]*)")
# Beside `DecodeError`, msgspec passes on what strings and nesting raise.
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


# --- in -----------------------------------------------------------------------------------


def _no_arguments() -> msgspec.Raw:
    return msgspec.Raw(b"{}")


class Submission(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One job to be done: the body of `POST /v1/jobs`, and each line of a batch. Seconds throughout."""

    job: str
    args: msgspec.Raw = msgspec.field(default_factory=_no_arguments)
    """A JSON object; left undecoded here, the job's own signature decodes and checks it."""
    queue: str | None = None
    priority: int | None = None
    delay: float | None = None
    run_at: Annotated[datetime, msgspec.Meta(tz=True)] | float | None = None
    """RFC 3339 with an offset, or seconds since the epoch."""
    expires_in: float | None = None
    unique_key: str | None = None
    tenant: str | None = None
    user: str | None = None
    durable: bool | None = None
    """Answer only once the job is on the server's disk."""
    wait_replicas: int | None = None
    """Answer only once so many replicas have the job."""

    def request(self, registry: Registry, idempotency_key: str | None, asker: Token) -> Request:
        """Check everything; the identity is the token's, where it has one.

        Raises `InvalidRequest` and its kin, naming the field, and `Refused` for what the token forbids.
        """
        asker.check_priority(self.priority)
        if self.delay is not None and self.run_at is not None:
            raise InvalidRequest("delay and run_at exclude each other", field="run_at")
        options = Options(
            queue=self.queue,
            priority=self.priority,
            delay=self.delay or 0.0,
            run_at=self.run_at.timestamp() if isinstance(self.run_at, datetime) else self.run_at,
            expires_in=self.expires_in,
            unique_key=self.unique_key,
            idempotency_key=idempotency_key,
            tenant=asker.tenant_for(self.tenant),
            user=asker.user_for(self.user),
            durable=self.durable,
            wait_replicas=self.wait_replicas,
        )
        return asker.bounded(registry.request(self.job, bytes(self.args), options))


_decode_submission = msgspec.json.Decoder(Submission).decode


def parse_submission(raw: bytes) -> Submission:
    """Read one submission.

    Raises:
        Refused: it is no JSON; the detail says where.
        InvalidRequest: a field is missing, unknown or of the wrong type; `field` names it.
    """
    try:
        raw.decode()  # all of it, as `args` is passed on undecoded (RFC 8259 §8.1)
        return _decode_submission(raw)
    except msgspec.ValidationError as error:
        found = _FIELD.search(str(error))
        raise InvalidRequest(str(error), field=found[1] if found else None) from error
    except _UNDECODABLE as error:
        raise Refused(MALFORMED_JSON, _where(error, raw)) from error


def _where(error: Exception, raw: bytes) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "JSON is malformed: a string is not UTF-8"
    if isinstance(error, RecursionError):
        return "JSON is malformed: it is nested too deeply"
    if str(error) == "Input data was truncated":
        return f"JSON is malformed: it ends too early (byte {len(raw)})"
    return str(error)


def check_media_type(request: BoundedRequest, *accepted: str) -> str:
    """The request's content type; refused if it is none of `accepted`, or missing.

    Strictness is a protection: a page in a browser may send a form or plain text to a loopback
    address unasked, JSON it may not (Fetch standard, CORS-safelisted content types).
    """
    kind = request.mimetype.lower()
    if kind not in accepted:
        raise Refused(
            UNSUPPORTED_MEDIA_TYPE,
            f"{kind or 'A body without a content type'} is not accepted: send {' or '.join(accepted)}.",
            field="Content-Type",
        )
    return kind


def check_length(request: BoundedRequest, limit: int) -> None:
    """Refuse a body that announces more than `limit` bytes; raises `PayloadTooLarge`."""
    if (request.content_length or 0) > limit:
        raise too_large("the body", limit)


async def read_body(request: BoundedRequest, limit: int, patience: float) -> bytes:
    """The whole body, refused as soon as it exceeds `limit` bytes, whatever it announced.

    Raises `PayloadTooLarge`, and `RequestTimeout` if it has not come after `patience` seconds.
    """
    check_length(request, limit)
    with trio.move_on_after(patience):
        return await _read(request.body, limit)
    raise RequestTimeout


async def _read(body: BoundedBody, limit: int) -> bytes:
    data = b""
    async for part in body:
        data = data + part if data else part
        if len(data) > limit:
            raise too_large("the body", limit)
    return data


def too_large(what: str, limit: int) -> PayloadTooLarge:
    """The error for `what` (a body, a line) that exceeds `limit` bytes."""
    return PayloadTooLarge(f"{what} exceeds {limit} bytes")


# --- out ----------------------------------------------------------------------------------


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a submission."""

    id: str
    state: str
    trace_id: str | None
    queue: str
    job: str
    duplicate: bool


class BatchLine(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one line of a batch: `id`, `state` and `trace_id` of a good one, `error` of a bad one."""

    line: int
    id: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    trace_id: str | UnsetType | None = UNSET
    duplicate: bool | UnsetType = UNSET
    """There where it is true."""
    error: Problem | UnsetType = UNSET


class ErrorView(msgspec.Struct, frozen=True, kw_only=True):
    """Why the last failed attempt failed."""

    type: str
    message: str
    traceback: str
    """The innermost frames, source lines but no values; empty for a retry that the handler asked for."""
    attempt: int | None
    """1 for the first; null where none had begun, or its worker died."""
    worker: str | None
    """Who ran it, or found out that it cannot run."""
    trace_id: str | None
    """The trace that tells of that attempt, where telemetry was on."""
    fingerprint: str | None
    """Equal for equal failures, as listed at `/v1/failures`; null for a retry that the handler asked for."""


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it is now. Times are RFC 3339 in UTC with milliseconds, by the store's clock."""

    id: str
    queue: str
    job: str
    module: str
    state: JobState
    ended: bool
    attempt: int
    """Attempts that have ended."""
    crashes: int
    """Workers that died while they held it."""
    priority: int
    tenant: str | None
    user: str | None
    submitted_at: str
    due_at: str
    started_at: str | None
    ended_at: str | None
    worker: str | None
    args: dict[str, Any]
    result: Any
    error: ErrorView | None
    trace_id: str | None


class CancelView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a cancellation: `running` means that its worker has been told to stop."""

    id: str
    state: JobState
    changed: bool


def view_receipt(receipt: Receipt) -> Submitted:
    """A receipt as the API shows it."""
    return Submitted(
        id=receipt.id,
        state=receipt.state,
        trace_id=receipt.trace_id,
        queue=receipt.queue,
        job=receipt.job,
        duplicate=receipt.duplicate,
    )


def view_job(job: Job) -> JobView:
    """A job as the API shows it."""
    error = job.error
    return JobView(
        id=job.id,
        queue=job.queue,
        job=job.job,
        module=job.job.rpartition(".")[0],
        state=job.state,
        ended=job.state.final,
        attempt=job.attempt,
        crashes=job.crashes,
        priority=job.priority,
        tenant=job.tenant,
        user=job.user,
        submitted_at=rfc3339(job.submitted_at),
        due_at=rfc3339(job.due_at),
        started_at=None if job.started_at is None else rfc3339(job.started_at),
        ended_at=None if job.ended_at is None else rfc3339(job.ended_at),
        worker=job.worker,
        args=job.args,
        result=job.result,
        error=None if error is None else view_error(error),
        trace_id=job.trace_id,
    )


def view_error(error: JobError) -> ErrorView:
    """A failure as the API shows it."""
    return ErrorView(
        type=error.type,
        message=error.message,
        traceback=error.traceback,
        attempt=error.attempt or None,
        worker=error.worker or None,
        trace_id=error.trace_id,
        fingerprint=error.fingerprint or None,
    )


def rfc3339(seconds: float) -> str:
    """`2026-01-31T08:30:00.125Z`."""
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + "Z"


# Results are whatever handlers returned: what JSON has no word for is shown, not refused.
_encoder = msgspec.json.Encoder(enc_hook=repr)
encode = _encoder.encode
encode_lines = _encoder.encode_lines


def json_response(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response with `value` as JSON."""
    return Response(encode(value), status=status, headers=headers, content_type=JSON)


def check_job_id(job_id: str) -> str:
    """Return `job_id` if it has the form of one; raises `InvalidRequest`."""
    split_job_id(job_id)
    return job_id
