"""What others are told of a job's end, by webhooks and on the bus: in the shape of standard webhooks."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from penstock.engine.job_ending import JobEnding


def of_job_ending(ending: JobEnding) -> dict[str, Any]:
    """A payload of type `job.<state>`; times are ISO 8601 in UTC.

    Of an error it holds type, message and fingerprint, no traceback; the result where the ending tells it.
    """
    data: dict[str, Any] = {
        "id": ending.id,
        "queue": ending.queue,
        "job": ending.job,
        "state": ending.state.value,
        "attempt": ending.attempt,
        "submitted_at": _iso(ending.submitted_at),
        "started_at": None if ending.started_at is None else _iso(ending.started_at),
        "ended_at": _iso(ending.ended_at),
        "tenant": ending.tenant,
        "user": ending.user,
        "trace_id": ending.trace_id,
        "error": None,
    }
    if ending.error is not None:
        error = ending.error
        data["error"] = {"type": error.type, "message": error.message, "fingerprint": error.fingerprint}
    if ending.result is not None:
        data["result"] = msgspec.msgpack.decode(ending.result)
    return {"type": f"job.{ending.state.value}", "timestamp": data["ended_at"], "data": data}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
