"""`penstock check`: is this Redis one to trust jobs to, and does the application load?"""

from collections.abc import Mapping
from typing import Any, Literal

import click
import msgspec
import trio
from rich.console import Console
from rich.table import Table

from penstock.deploy.application import load_application
from penstock.deploy.settings import Settings, app_argument, redis_option, takes
from penstock.engine.errors import PenstockError, StoreRefused
from penstock.engine.registry import Registry
from penstock.engine.transport import Address, Redis

_LEAST = {"Redis": 7, "Valkey": 8}


class CheckFailed(PenstockError):
    """Something is not as it has to be; the table says what."""


class Finding(msgspec.Struct, frozen=True):
    """One row of the table."""

    subject: str
    verdict: Literal["ok", "warning", "failed"]
    detail: str


@click.command(short_help="Check Redis and, if named, an application.")
@takes(app_argument(required=False), redis_option)
def check(settings: Settings) -> None:
    """Check that Redis is reachable and set up so that no job gets lost, and that APP loads.

    Exit code 1 if something fails; warnings do not count.

    \b
    Examples:
      penstock check
      penstock check shop.jobs:images --redis rediss://user:password@redis.internal:6380/0
    """
    registry = load_application(settings.app) if settings.app else None
    address = Address.parse(settings.redis)
    findings = [Finding("reachable", "ok", str(address)), *trio.run(_examine, address)]
    if registry is not None:
        findings.append(_application(registry))
    _show(findings)
    if failed := [finding.subject for finding in findings if finding.verdict == "failed"]:
        raise CheckFailed(f"{len(failed)} of {len(findings)} checks failed: {', '.join(failed)}")


async def _examine(address: Address) -> list[Finding]:
    """Ask the server; raises `StoreUnavailable` where nobody answers."""
    async with Redis(address) as redis:
        await redis.execute("PING", retry_for=0)
        info = _parse(await redis.execute("INFO", "everything"))
        return [
            version(info),
            await _scripting(redis),
            eviction(info),
            persistence(info, await _fsync(redis)),
        ]


def _parse(info: Any) -> dict[str, str]:
    pairs = (line.partition(":") for line in info.decode().splitlines())
    return {name: value for name, colon, value in pairs if colon}


def version(info: Mapping[str, str]) -> Finding:
    """Redis 7 or Valkey 8, or newer. Valkey also calls itself Redis 7.2, for old clients."""
    name = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    number = info.get("valkey_version") or info.get("redis_version") or "0"
    if int(number.split(".")[0]) >= _LEAST[name]:
        return Finding("version", "ok", f"{name} {number}")
    return Finding("version", "failed", f"{name} {number}: Penstock needs Redis 7 or Valkey 8 at least")


async def _scripting(redis: Redis) -> Finding:
    try:
        await redis.execute("EVAL", "return redis.call('TIME')", 0)
    except StoreRefused as error:
        return Finding("scripting", "failed", f"{error}: allow this user EVAL and EVALSHA (ACL: +@scripting)")
    return Finding("scripting", "ok", "Lua scripts run")


def eviction(info: Mapping[str, str]) -> Finding:
    """A server that evicts keys when it is full throws jobs away."""
    policy = info.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        return Finding("memory policy", "ok", policy)
    return Finding(
        "memory policy", "failed", f"{policy} may delete jobs: CONFIG SET maxmemory-policy noeviction"
    )


def persistence(info: Mapping[str, str], fsync: str | None) -> Finding:
    """What a killed server would lose."""
    if info.get("aof_enabled") != "1":
        return Finding(
            "persistence", "warning", "no append-only file, a crash loses jobs: CONFIG SET appendonly yes"
        )
    if fsync == "always":
        return Finding("persistence", "ok", "append-only file, written before each answer")
    how = f"fsync {fsync}" if fsync else "how often it is synced is not ours to know"
    return Finding("persistence", "ok", f"append-only file, {how}: a crash may lose the last seconds")


async def _fsync(redis: Redis) -> str | None:
    try:
        reply: Any = await redis.execute("CONFIG", "GET", "appendfsync")
    except StoreRefused:  # managed servers keep CONFIG to themselves
        return None
    pair = next(iter(reply.items())) if isinstance(reply, dict) else tuple(reply)
    return pair[1].decode() if len(pair) == 2 else None


def _application(registry: Registry) -> Finding:
    jobs = len(list(registry))
    return Finding(
        "application", "ok", f"{jobs} job{'s' * (jobs != 1)} on {', '.join(registry.queues()) or 'no queue'}"
    )


def _show(findings: list[Finding]) -> None:
    colour = {"ok": "green", "warning": "yellow", "failed": "bold red"}
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("check", "verdict", "what was found"):
        table.add_column(column)
    for finding in findings:
        table.add_row(finding.subject, f"[{colour[finding.verdict]}]{finding.verdict}", finding.detail)
    Console().print(table)
