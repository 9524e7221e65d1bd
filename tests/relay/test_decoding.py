"""What sinks are told of a job: everything that its record said when the attempt ended."""

import msgspec
import pytest

from penstock.engine.job import JobError, JobState
from penstock.engine.outbox import Entry
from penstock.engine.record import VERSION, Body, Ending, Header, Record, encode_body, encode_ending
from penstock.engine.relay.decoding import decode, ending_of
from support.stores import START

TRACE = "0af7651916cd43dd8448eb211c80319c"


def entry(state: JobState = JobState.SUCCEEDED, ending: Ending | None = None, **header: object) -> Entry:
    """Of an attempt that ended ten seconds after its submission."""
    body = encode_body(
        Body(
            "images.thumbnail",
            msgspec.Raw(b"\x80"),
            {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
            "kim",
        )
    )
    words: dict[str, object] = {
        "version": VERSION,
        "state": state,
        "attempt": 2,
        "crashes": 0,
        "priority": 5,
        "token": 9,
        "submitted": START,
        "due": START,
        "ended": START + 10_000,
        "size": len(body),
        "flags": "-",
        "tenant": "acme%20ltd",
    }
    record = Record(Header(**(words | header)), body, b"" if ending is None else encode_ending(ending))  # type: ignore[arg-type]  # words of all types
    return Entry("17-4", "f00", START + 10_000, record.encode())


def test_an_ending_tells_what_the_record_said() -> None:
    """Who, what, when, where, on whose behalf, in which trace, and what came of it."""
    told = ending_of("media", entry(ending=Ending("w-1", START + 9_000, START + 9_500, msgspec.Raw(b"\x2a"))))
    assert msgspec.structs.asdict(told) == {
        "id": "media.f00",
        "queue": "media",
        "job": "images.thumbnail",
        "module": "images",
        "state": "succeeded",
        "attempt": 2,
        "event_id": "17-4",
        "priority": 5,
        "submitted_at": START / 1000,
        "started_at": START / 1000 + 9,
        "ended_at": START / 1000 + 10,
        "tenant": "acme ltd",
        "user": "kim",
        "worker": "w-1",
        "error": None,
        "trace_id": TRACE,
        "result": b"\x2a",
    }


def test_a_failure_is_told_with_its_error_and_no_result() -> None:
    """Of an attempt that another follows as of the last one."""
    error = JobError("ValueError", "no", attempt=2)
    ending = Ending("w-1", START, START, error=error)
    for state in (JobState.SCHEDULED, JobState.DEAD):
        told = ending_of("media", entry(state, ending))
        assert (told.state, told.error, told.result) == (state, error, None)


def test_what_ended_before_it_began_has_no_worker() -> None:
    """Cancelled in its line: nobody ran it."""
    told = ending_of("media", entry(JobState.CANCELLED, attempt=0))
    assert (told.worker, told.started_at, told.error, told.result) == (None, None, None, None)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"no record", "12 words"),
        (entry(version=VERSION + 1).record, "this relay knows"),
        (entry(size=3).record, ""),
        (entry(state="asleep").record, "no state"),  # type: ignore[arg-type]  # as somebody else may write
    ],
)
def test_what_cannot_be_read_is_told_apart(raw: bytes, why: str) -> None:
    """With the job's id and the reason; those beside it are read."""
    decoded = decode("media", [Entry("1-1", "bad", START, raw), entry()])
    assert [(one, reason.startswith("media.bad: ")) for one, reason in decoded.garbled] == [("1-1", True)]
    assert why in decoded.garbled[0][1]
    assert decoded.ids == ["17-4"]
    assert [ending.event_id for ending in decoded.endings] == ["17-4"]
