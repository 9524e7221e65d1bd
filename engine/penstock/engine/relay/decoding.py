"""From an entry of the outbox to what sinks take."""

from collections.abc import Sequence

import msgspec

from penstock.engine.job import JobState, trace_id_of
from penstock.engine.job_ending import JobEnding
from penstock.engine.names import unquote_tenant
from penstock.engine.outbox import Entry
from penstock.engine.record import VERSION, Ending, decode_body, decode_ending, parse_record


class Decoded(msgspec.Struct, frozen=True):
    """One batch; `garbled` are the ids of entries that nobody can read, with the reasons."""

    ids: list[str]
    endings: list[JobEnding]
    garbled: list[tuple[str, str]]


def decode(queue: str, entries: Sequence[Entry]) -> Decoded:
    """Read what can be read."""
    decoded = Decoded([], [], [])
    for entry in entries:
        try:
            ending = ending_of(queue, entry)
        except (ValueError, msgspec.DecodeError) as error:
            decoded.garbled.append((entry.id, f"{queue}.{entry.suffix}: {error}"))
        else:
            decoded.ids.append(entry.id)
            decoded.endings.append(ending)
    return decoded


def ending_of(queue: str, entry: Entry) -> JobEnding:
    """Read one entry; raises `ValueError` or `msgspec.DecodeError` for what is no ending."""
    record = parse_record(entry.record)
    header = record.header
    if header.version > VERSION:
        raise ValueError(f"its record has version {header.version}, and this relay knows {VERSION}")
    body = decode_body(record.body)
    left = decode_ending(record.ending) if record.ending else None
    return JobEnding(
        id=f"{queue}.{entry.suffix}",
        queue=queue,
        job=body.job,
        module=body.job.partition(".")[0],
        state=header.state,
        attempt=header.attempt,
        submitted_at=header.submitted / 1000,
        ended_at=entry.at / 1000,
        event_id=entry.id,
        started_at=left.started / 1000 if left is not None and left.started else None,
        priority=header.priority,
        tenant=unquote_tenant(header.tenant),
        user=body.user,
        worker=left.worker if left is not None else None,
        error=left.error if left is not None else None,
        trace_id=trace_id_of(body.headers),
        result=_result(header.state, left),
    )


def _result(state: JobState, left: Ending | None) -> bytes | None:
    return bytes(left.result) if left is not None and state is JobState.SUCCEEDED else None
