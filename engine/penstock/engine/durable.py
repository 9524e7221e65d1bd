"""Submissions that are acknowledged only once they are on disk or on replicas, many at a time."""

from collections.abc import Sequence
from typing import Any

import anyio

from penstock.engine import keys
from penstock.engine.errors import NotDurable, StoreRefused, StoreUnavailable
from penstock.engine.store import Terms
from penstock.engine.transport import Command, Connection, Link, Reply, Script, ScriptMissing

WITHIN = 5.0
"""Seconds that disk and replicas get; `appendfsync everysec` takes up to two on a busy disk."""
_RETRY_FOR, _PAUSE = 3.0, 0.1  # seconds, as any call to the store


class _Entry:
    """One submission on its way; `reply` or `error` is there once it is `done`."""

    def __init__(self, script: Script, args: Sequence[Any], wants: tuple[bool, int]) -> None:
        self.script = script
        self.args = args
        self.wants = wants  # disk, replicas
        self.done = False
        self.reply: Reply = None
        self.error: Exception | None = None

    def end(self, reply: Reply = None, error: Exception | None = None) -> None:
        self.done, self.reply, self.error = True, reply, error


class DurableLine:
    """The submissions to one queue that wait for more than Redis' memory.

    WAITAOF and WAIT hold up everything behind them on their connection. So each group has a connection to
    itself, and what comes while one group waits is the next group: the disk is waited for once for all.
    """

    def __init__(self, link: Link, queue: str) -> None:
        self._link = link
        self._root = keys.root(queue)
        self._counts = keys.counts(queue)
        self._waiting: list[_Entry] = []
        self._turn = anyio.Lock()

    async def send(self, script: Script, args: Sequence[Any], terms: Terms) -> Reply:
        """Run a script with these arguments and return its reply once `terms` are met.

        Cancelled, it may have run or not. Raises `NotDurable`, `StoreUnavailable`, or `StoreRefused` where
        the server cannot do it at all; then nothing was stored.
        """
        entry = _Entry(script, args, (terms.disk, terms.replicas))
        self._waiting.append(entry)
        try:
            async with self._turn:
                while not entry.done:
                    await self._flush()
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)
        if entry.error is not None:
            raise entry.error
        return entry.reply

    async def _flush(self) -> None:
        """Send those that want what the first one wants; cancelled, leave them to whoever comes next."""
        group = [entry for entry in self._waiting if entry.wants == self._waiting[0].wants]
        try:
            await self._persist(group)
        except (StoreUnavailable, StoreRefused) as error:
            for entry in group:
                entry.end(error=error)
        finally:
            self._waiting = [entry for entry in self._waiting if not entry.done]

    async def _persist(self, group: list[_Entry]) -> None:
        give_up = anyio.current_time() + _RETRY_FOR
        while True:
            try:
                async with self._link.reserve(self._root) as connection:
                    return await self._send(connection, group)
            except NotDurable:
                raise
            except StoreUnavailable:
                if anyio.current_time() >= give_up:
                    raise
            await anyio.sleep(_PAUSE)

    async def _send(self, connection: Connection, group: list[_Entry]) -> None:
        """One try. What was stored by an earlier one is found again by the script, which answers alike."""
        disk, replicas = group[0].wants
        await self._check_able(connection, disk, replicas)
        replies = await self._run(connection, group)
        shortfall = await self._wait(connection, disk, replicas)
        for entry, reply in zip(group, replies, strict=True):
            if isinstance(reply, StoreRefused):
                entry.end(error=reply)
            else:
                entry.end(reply, shortfall)

    async def _run(self, connection: Connection, group: list[_Entry]) -> list[Reply]:
        calls: list[Command] = [("EVALSHA", entry.script.sha1, 1, self._root, *entry.args) for entry in group]
        replies = _checked(await connection.pipeline(calls))
        if any(isinstance(reply, ScriptMissing) for reply in replies):
            for source in {entry.script.source for entry in group}:
                await connection.execute("SCRIPT", "LOAD", source)
            replies = _checked(await connection.pipeline(calls))
        return replies

    async def _check_able(self, connection: Connection, disk: bool, replicas: int) -> None:
        """Ask for what will be waited for before anything is stored: there is nothing to wait for yet."""
        if disk:
            try:
                await connection.execute("WAITAOF", 1, 0, 1)
            except StoreRefused as error:
                raise StoreRefused(
                    f"{self._link.address} cannot wait for its disk ({error}): durable submissions need "
                    "Redis 7.2 or Valkey with `appendonly yes`. Nothing was stored."
                ) from error
        if replicas:
            there = await connection.execute("WAIT", replicas, 1)
            if isinstance(there, int) and there < replicas:
                raise NotDurable(
                    f"{self._link.address} has {there} of {replicas} replicas to wait for; nothing was stored"
                )

    async def _wait(self, connection: Connection, disk: bool, replicas: int) -> NotDurable | None:
        """Wait for what was stored on this connection; what is missing at the end."""
        milliseconds = int(WITHIN * 1000)
        # A write that always is one: a script that found everything stored has written nothing to wait for.
        commands: list[Command] = [("HINCRBY", self._counts, "durable", 1)]
        if disk:
            commands.append(("WAITAOF", 1, 0, milliseconds))
        if replicas:
            commands.append(("WAIT", replicas, milliseconds))
        replies = _checked(await connection.pipeline(commands, timeout=WITHIN * (len(commands) + 1)))
        if disk and not (isinstance(replies[1], list) and replies[1][0] == 1):
            return NotDurable(f"stored, but not known to be on disk after {WITHIN:g} s: {replies[1]!r}")
        reached = replies[-1]
        if replicas and not (isinstance(reached, int) and reached >= replicas):
            return NotDurable(
                f"stored, but after {WITHIN:g} s {replicas} replicas have not got it: {reached!r}"
            )
        return None


def _checked(replies: list[Reply]) -> list[Reply]:
    for reply in replies:
        if isinstance(reply, StoreUnavailable):
            raise reply
    return replies
