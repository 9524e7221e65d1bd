r"""The record of a job: one string in Redis, `header LF body ending`.

The **header** is one line of words that Lua reads and replaces:

| # | field     | meaning                                                                  |
|---|-----------|--------------------------------------------------------------------------|
| 1 | version   | of this format; a reader parks what is newer than it knows               |
| 2 | state     | a `JobState` word; a claimed job keeps `ready`, the running hash says more |
| 3 | attempt   | attempts that have ended                                                 |
| 4 | crashes   | workers that died while they held the job                                |
| 5 | priority  | 0 (last) to 9 (first)                                                    |
| 6 | token     | fencing token of the settlement that wrote this header, 0 before the first |
| 7 | submitted | milliseconds since the epoch, server clock                               |
| 8 | due       | when it became or becomes ready                                          |
| 9 | ended     | when it reached a final state, 0 before                                  |
| 10| size      | bytes of the body; what follows them is the ending                       |
| 11| flags     | `-` none, else letters: `u` holds a unique key                           |
| 12| tenant    | percent-encoded, `-` for none                                            |

The **body** is written once by the submitter and never decoded by Lua; the **ending** is written by the
settlement of the last attempt that ended. Both are msgpack arrays whose fields are only ever appended.
"""

from typing import Any

import msgspec

from penstock.engine.job import Job, JobError, JobState
from penstock.engine.names import unquote_tenant

VERSION = 1


class Header(msgspec.Struct, frozen=True, gc=False):
    """The twelve words that the server's scripts understand; times in milliseconds."""

    version: int
    state: JobState
    attempt: int
    crashes: int
    priority: int
    token: int
    submitted: int
    due: int
    ended: int
    size: int
    flags: str
    tenant: str


class Body(msgspec.Struct, array_like=True, frozen=True):
    """What the submitter wrote: which job, with what, on whose behalf."""

    job: str
    args: msgspec.Raw  # a msgpack map of the validated arguments
    headers: dict[str, str] = {}
    user: str | None = None
    expires_in: int = 0
    """Milliseconds after its submission from which on it must not start any more; 0 for never."""
    sending: int = 0
    """With an idempotency key, chance: tells this submission, sent again, from another under the same key."""


class Ending(msgspec.Struct, array_like=True, frozen=True):
    """What the last attempt left behind."""

    worker: str
    started: int  # milliseconds since the epoch, the worker's clock
    finished: int
    result: msgspec.Raw = msgspec.Raw(b"\xc0")
    error: JobError | None = None


class Record(msgspec.Struct, frozen=True):
    """A record, taken apart but not decoded."""

    header: Header
    body: bytes
    ending: bytes

    def encode(self) -> bytes:
        """Write the record as the server stores it."""
        return format_header(self.header) + self.body + self.ending


_encoder = msgspec.msgpack.Encoder()
_body_decoder = msgspec.msgpack.Decoder(Body)
_ending_decoder = msgspec.msgpack.Decoder(Ending)
_args_decoder = msgspec.msgpack.Decoder(dict[str, Any])
_any_decoder = msgspec.msgpack.Decoder()
_states = {state.value.encode(): state for state in JobState}


class _Numbers(dict[bytes, int]):
    """Numbers by their digits. Small ones, as most words of a header are, take a fifth of `int`'s time."""

    def __missing__(self, digits: bytes) -> int:
        return int(digits)


_number = _Numbers({b"%d" % number: number for number in range(10)})

encode_body = _encoder.encode
encode_ending = _encoder.encode
decode_body = _body_decoder.decode
decode_ending = _ending_decoder.decode


def format_header(header: Header) -> bytes:
    """Write the header line, line feed included."""
    words = msgspec.structs.astuple(header)
    return (" ".join(map(str, words)) + "\n").encode()


def parse_record(raw: bytes) -> Record:
    """Take a stored record apart.

    Raises:
        ValueError: it is not in this format; the caller treats the job as undecodable.
    """
    line, separator, rest = raw.partition(b"\n")
    words = line.split(b" ")
    if not separator or len(words) < 12:
        raise ValueError(f"a record starts with 12 words and a line feed, found {line[:80]!r}")
    state = _states.get(words[1])
    if state is None:
        raise ValueError(f"{words[1]!r} is no state of a job")
    size = int(words[9])
    header = Header(
        _number[words[0]],
        state,
        _number[words[2]],
        _number[words[3]],
        _number[words[4]],
        _number[words[5]],
        int(words[6]),
        int(words[7]),
        _number[words[8]],
        size,
        words[10].decode(),
        words[11].decode(),
    )
    return Record(header, rest[:size], rest[size:])


def describe(queue: str, suffix: str, record: Record, *, worker: str | None, started: int | None) -> Job:
    """Make the reader's view of a record; `worker` and `started` are given where it runs now."""
    header, body = record.header, decode_body(record.body)
    ending = decode_ending(record.ending) if record.ending else None
    running = worker is not None
    return Job(
        id=f"{queue}.{suffix}",
        queue=queue,
        job=body.job,
        state=JobState.RUNNING if running else header.state,
        attempt=header.attempt + running,
        crashes=header.crashes,
        priority=header.priority,
        tenant=unquote_tenant(header.tenant),
        user=body.user,
        submitted_at=header.submitted / 1000,
        due_at=header.due / 1000,
        ended_at=header.ended / 1000 if header.ended else None,
        started_at=_seconds(started if running else (ending.started if ending else None)),
        worker=worker if running else (ending.worker if ending else None),
        args=_args_decoder.decode(body.args),
        result=_any_decoder.decode(ending.result) if ending else None,
        error=ending.error if ending else None,
        headers=body.headers,
    )


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
