"""Where a page of a search ended: time and id of its last job, so that rows added later move nothing."""

import re
from typing import NamedTuple

from penstock.engine.errors import InvalidRequest
from penstock.engine.names import split_job_id

_CURSOR = re.compile(r"([0-9]{1,16})~(.{1,100})")


class Position(NamedTuple):
    """The last job that was shown."""

    ended_ms: int
    id: str


def write_cursor(position: Position) -> str:
    """A text that may stand in an address: digits, `~` and the id of the job."""
    return f"{position.ended_ms}~{position.id}"


def read_cursor(text: str) -> Position:
    """Read what `write_cursor` wrote; raise `InvalidRequest` for anything else."""
    match = _CURSOR.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        split_job_id(match[2])
    except (ValueError, InvalidRequest):
        raise InvalidRequest(
            "that is no cursor of the history: take `next` of the page before, unchanged", field="cursor"
        ) from None
    return Position(int(match[1]), match[2])
