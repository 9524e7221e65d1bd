"""Asking a server whether it is one to trust jobs to; nothing on it is changed."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.deploy import findings
from penstock.deploy.findings import Finding
from penstock.deploy.permissions import Server, refused_commands
from penstock.engine import keys
from penstock.engine.errors import StoreRefused
from penstock.engine.transport import Link

DEFAULT_QUEUES = ("default",)
"""Whose keys are asked about where no application says which queues there are."""


async def examine(link: Link, queues: Sequence[str]) -> list[Finding]:
    """Every row about the servers that hold `queues`; there are several only in a Cluster.

    Of the second server and others only what is not well is told. Raises `StoreUnavailable` where nobody
    answers, and `StoreRefused` where the login is refused.
    """
    await link.execute("PING", retry_for=0)
    rows = [Finding("reachable", "ok", str(link.address))]
    examined: set[str] = set()
    for queue in queues:
        async with link.reserve(keys.root(queue)) as server:
            info = await _info(server)
            name = info.get("run_id", "")
            if name in examined:
                continue
            found = await _server_rows(server, info, queues)
        if examined:
            found = [_at(queue, row) for row in found if row.verdict != "ok"]
        rows += found
        examined.add(name)
    return rows


def _at(queue: str, row: Finding) -> Finding:
    return Finding(row.subject, row.verdict, f"where queue {queue} is: {row.detail}")


async def _server_rows(server: Server, info: Mapping[str, str], queues: Sequence[str]) -> list[Finding]:
    rows = [findings.version(info)]
    refusal = await _scripting(server)
    rows.append(findings.scripting(refusal))
    if refusal is None:
        rows.append(findings.permissions(await refused_commands(server, queues), queues))
    rows += [
        findings.eviction(info),
        findings.persistence(info, await _fsync(server)),
        await _clocks(server),
    ]
    return rows


async def _info(server: Server) -> dict[str, str]:
    try:
        reply: Any = await server.execute("INFO", "everything")
    except StoreRefused:  # a narrow ACL: Penstock itself gets by without
        return {}
    pairs = (line.partition(":") for line in reply.decode().splitlines())
    return {name: value for name, colon, value in pairs if colon}


async def _scripting(server: Server) -> StoreRefused | None:
    try:
        await server.execute("EVAL", "return redis.call('TIME')", 0)
    except StoreRefused as error:
        return error
    return None


async def _fsync(server: Server) -> str | None:
    try:
        reply: Any = await server.execute("CONFIG", "GET", "appendfsync")
    except StoreRefused:  # managed servers keep CONFIG to themselves
        return None
    pair = next(iter(reply.items())) if isinstance(reply, dict) else tuple(reply)
    return pair[1].decode() if len(pair) == 2 else None


async def _clocks(server: Server) -> Finding:
    before = time.time()
    try:
        reply: Any = await server.execute("TIME")
    except StoreRefused:
        return Finding("clocks", "warning", "unknown: this user may not run TIME (ACL: +time)")
    seconds, microseconds = map(int, reply)
    return findings.clocks(seconds + microseconds / 1e6, before, time.time())
