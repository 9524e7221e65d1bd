"""What is counted of failures: how often each fingerprint came, and what the last one looked like."""

import msgspec

from penstock.engine.job import JobError, trace_id_of

MESSAGE = 200
"""Characters of a message that are kept with its count; the whole one is in the record."""
TYPE = 200


class Failure(msgspec.Struct, frozen=True, gc=False):
    """One failure to be counted with the settlement that ends its attempt."""

    fingerprint: str
    sample: bytes
    """What it looked like, as text that the store keeps and never reads."""


class FailureCount(msgspec.Struct, frozen=True):
    """How often one failure came to one queue. Times are milliseconds on the store's clock."""

    queue: str
    fingerprint: str
    count: int
    first_seen: int
    last_seen: int
    job_id: str
    """Of the last one, like all that follows."""
    job: str
    """Empty where it is not known: a record that nobody can read, a job whose workers died."""
    type: str
    message: str
    trace_id: str | None


class _Sample(msgspec.Struct, array_like=True, frozen=True):
    job: str
    type: str
    message: str
    traceparent: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Sample).decode


def failure_of(job: str, error: JobError) -> Failure | None:
    """What is to be counted of an attempt that left `error`; None if it is no failure."""
    if not error.fingerprint:
        return None
    sample = _Sample(job, error.type[:TYPE], error.message[:MESSAGE], error.traceparent)
    return Failure(error.fingerprint, _encode(sample))


def failure_count(
    queue: str, fingerprint: str, *, count: int, first: int, last: int, suffix: str, sample: bytes
) -> FailureCount:
    """What a store has kept, put together."""
    seen = _decode(sample)
    return FailureCount(
        queue=queue,
        fingerprint=fingerprint,
        count=count,
        first_seen=first,
        last_seen=last,
        job_id=f"{queue}.{suffix}",
        job=seen.job,
        type=seen.type,
        message=seen.message,
        trace_id=trace_id_of({"traceparent": seen.traceparent}),
    )


def newest_first(counts: list[FailureCount]) -> list[FailureCount]:
    """The one seen last comes first; in the same millisecond, by fingerprint."""
    return sorted(counts, key=lambda one: (-one.last_seen, one.fingerprint))
