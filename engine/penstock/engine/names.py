"""Names and ids: what a queue, tenant or job may be called, and how a job id is made.

A job id is `<queue>.<28 hex digits>`: it contains its queue, so that any process finds the job, and
starts with its time of birth, so that ids sort by age.
"""

import hashlib
import random
import re
import time
from urllib.parse import quote, unquote

from penstock.engine.errors import InvalidRequest

QUEUE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
JOB_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}(\.[A-Za-z_][A-Za-z0-9_]{0,63}){1,4}")
MAX_TENANT = 128  # characters; it becomes part of a key and, if asked for, a label
MAX_PRIORITY = 9

_ID = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})\.([0-9a-f]{28})")


def check_queue(queue: str) -> str:
    """Return `queue` if it is a legal name; raise `InvalidRequest` otherwise."""
    if QUEUE_NAME.fullmatch(queue) is None:
        raise InvalidRequest(
            f"{queue!r} cannot name a queue: expected 1 to 64 of a-z, 0-9, _ and -, "
            "starting with a letter or digit",
            field="queue",
        )
    return queue


def check_tenant(tenant: str | None) -> str | None:
    """Return `tenant` if it may be stored; any text of 1 to 128 characters may."""
    if tenant is not None:
        check_text("tenant", tenant, MAX_TENANT)
    return tenant


def check_text(field: str, text: str, most: int) -> None:
    """Raise `InvalidRequest` unless `text` has 1 to `most` characters and is Unicode that can be written."""
    if not 0 < len(text) <= most:
        raise InvalidRequest(f"{field} has {len(text)} characters: expected 1 to {most}", field=field)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidRequest(f"{field} holds half a surrogate pair, which is no character", field=field)


def check_priority(priority: int) -> int:
    """Return `priority` if it is 0 (last) to 9 (first)."""
    if not 0 <= priority <= MAX_PRIORITY:
        raise InvalidRequest(
            f"priority {priority} is out of range: expected 0 (last) to {MAX_PRIORITY} (first)",
            field="priority",
        )
    return priority


def quote_tenant(tenant: str | None) -> str:
    """Write a tenant as it stands in keys and headers: percent-encoded, `-` for none."""
    if tenant is None:
        return "-"
    return "%2D" if tenant == "-" else quote(tenant, safe="")


def unquote_tenant(text: str) -> str | None:
    """Read back what `quote_tenant` wrote."""
    return None if text == "-" else unquote(text)


def new_job_id(queue: str) -> str:
    """Make an id nobody else has: 48 bits of milliseconds, 64 bits of chance."""
    return f"{queue}.{time.time_ns() // 1_000_000:012x}{random.getrandbits(64):016x}"


def idempotent_job_id(queue: str, tenant: str | None, key: str) -> str:
    """Make the one id that (tenant, queue, key) always gets: sending twice submits once."""
    scope = "\0".join((queue, quote_tenant(tenant), key))
    return f"{queue}.{hashlib.sha256(scope.encode()).hexdigest()[:28]}"


def split_job_id(job_id: str) -> tuple[str, str]:
    """Return (queue, the id within its queue); raise `InvalidRequest` for anything else."""
    match = _ID.fullmatch(job_id)
    if match is None:
        raise InvalidRequest(f"{job_id[:200]!r} is no job id: expected <queue>.<28 hex digits>", field="id")
    return match[1], match[2]
