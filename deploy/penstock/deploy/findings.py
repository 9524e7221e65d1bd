"""What to make of what a server says about itself: one row each, with the remedy."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from penstock.deploy.permissions import remedy

_LEAST = {"Redis": 7, "Valkey": 8}
SKEW = 1.0
"""Seconds two clocks may be apart before it is told: times are shown and counted to the second."""


class Finding(msgspec.Struct, frozen=True):
    """One row of the table of `penstock check`; what is not `ok` is also said at the start of a process."""

    subject: str
    verdict: Literal["ok", "warning", "failed"]
    detail: str


def version(info: Mapping[str, str]) -> Finding:
    """Redis 7 or Valkey 8, or newer. Valkey also calls itself Redis 7.2, for old clients."""
    name = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    number = info.get("valkey_version") or info.get("redis_version")
    if number is None:
        return Finding("version", "warning", "unknown: this user may not run INFO (ACL: +info)")
    if int(number.split(".")[0]) >= _LEAST[name]:
        return Finding("version", "ok", f"{name} {number}")
    return Finding("version", "failed", f"{name} {number}: Penstock needs Redis 7 or Valkey 8 at least")


def scripting(error: Exception | None) -> Finding:
    """Every change of state is a script."""
    if error is None:
        return Finding("scripting", "ok", "Lua scripts run")
    return Finding("scripting", "failed", f"{error}: allow this user EVAL and EVALSHA (ACL: +@scripting)")


def permissions(refused: Sequence[str], queues: Sequence[str]) -> Finding:
    """Every command that workers and clients need."""
    if not refused:
        return Finding("permissions", "ok", "every command that is needed")
    shown = ", ".join(refused)
    return Finding("permissions", "failed", f"this user may not run {shown}: {remedy(refused, queues)}")


def eviction(info: Mapping[str, str]) -> Finding:
    """A server that evicts keys when it is full throws jobs away."""
    policy = info.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        return Finding("memory policy", "ok", policy)
    if policy == "unknown":
        return Finding("memory policy", "warning", "unknown: see that maxmemory-policy is noeviction")
    return Finding(
        "memory policy", "failed", f"{policy} may delete jobs: CONFIG SET maxmemory-policy noeviction"
    )


def persistence(info: Mapping[str, str], fsync: str | None) -> Finding:
    """What a killed server would lose."""
    if "aof_enabled" not in info:
        return Finding("persistence", "warning", "unknown: see that appendonly is yes")
    if info["aof_enabled"] != "1":
        return Finding(
            "persistence", "warning", "no append-only file, a crash loses jobs: CONFIG SET appendonly yes"
        )
    if fsync == "always":
        return Finding("persistence", "ok", "append-only file, written before each answer")
    how = f"fsync {fsync}" if fsync else "how often it is synced is not ours to know"
    return Finding("persistence", "ok", f"append-only file, {how}: a crash may lose the last seconds")


def clocks(server: float, before: float, after: float) -> Finding:
    """The server's time, read between two looks at ours: what passed on the way is halved.

    All are seconds since the epoch. Everything is counted by the server's clock, but `run_at` is a time of
    day and means the submitter's.
    """
    ours = (before + after) / 2
    apart = server - ours
    if abs(apart) <= SKEW + (after - before) / 2:  # half the way is what we cannot know
        return Finding("clocks", "ok", f"{abs(apart):.3f} s apart")
    return Finding(
        "clocks",
        "warning",
        f"the server says {_clock(server)}, this machine {_clock(ours)}, {abs(apart):.1f} s apart: run_at "
        "and the times that are shown are off by as much; set both by NTP",
    )


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-5] + "Z"
