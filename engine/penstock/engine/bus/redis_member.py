"""One member of one group at one topic's log: takes, waits, commits."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import anyio

from penstock.engine import keys
from penstock.engine.bus import redis_entry, redis_scripts
from penstock.engine.bus.bus import BATCH, Received
from penstock.engine.bus.errors import translated
from penstock.engine.transport import Connection, Link

MAX_HELD = 10 * BATCH
"""Events that a member has received and not committed, at most: then it waits for a commit."""
_GRACE = 5.0
"""Seconds past the end of its wait after which a connection that has said nothing counts as lost."""


class RedisMember:
    """What it holds is known here and on the server; after every doubt the two are compared."""

    def __init__(self, link: Link, topic: str, group: str, member: str, silence: float) -> None:
        """`silence` seconds without a word make a member count as dead."""
        self._link = link
        self._topic = topic
        self._log = keys.topic_log(topic)
        self._group = group
        self._member = member
        self._silence = silence
        self._held: set[bytes] = set()
        self._room = anyio.Event()
        self._position: bytes = b"0-0"
        self._doubt = True  # whether the server may have given what did not arrive
        self._looked = -silence  # when it last looked after the dead
        self._line: tuple[AsyncExitStack, Connection] | None = None

    async def take(self) -> list[Received]:
        """What there is now, or nothing. Cancelled, what was on its way is taken next time."""
        while len(self._held) >= MAX_HELD:
            self._room = anyio.Event()
            await self._room.wait()
        count = min(BATCH, MAX_HELD - len(self._held))
        now = anyio.current_time()
        due = now - self._looked >= self._silence / 3
        back = len(self._held) + count if self._doubt or due else 0
        self._doubt = True
        with translated():
            args = (self._group, self._member, count, self._milliseconds, int(due), back)
            reply: Any = await self._link.script(redis_scripts.TAKE, (self._log,), args)
        if due:
            self._looked = now
        self._position, entries = reply
        fresh = [entry for entry in entries if entry[0] not in self._held]
        self._doubt = len(fresh) > count  # the rest is looked back on
        return [self._hold(place, fields) for place, fields in fresh[:count]]

    async def wait(self) -> None:
        """Return when there is something new, or it is time to look after the dead."""
        seconds = max(0.001, self._looked + self._silence / 3 - anyio.current_time())
        try:
            with translated():
                connection = await self._open()
                await connection.execute(
                    *("XREAD", "COUNT", 1, "BLOCK", max(1, round(seconds * 1000))),
                    *("STREAMS", self._log, self._position),
                    timeout=seconds + _GRACE,
                )
        except BaseException:
            # Cancelled too: a command that blocks would hold up the next one.
            await self.hang_up()
            raise

    async def commit(self, received: Sequence[Received]) -> None:
        """Acknowledge those that stand in this log."""
        ids = [
            one.place[1] for one in received if isinstance(one.place, tuple) and one.place[0] == self._topic
        ]
        if not ids:
            return
        with translated():
            await self._link.execute("XACK", self._log, self._group, *ids)
        self._held.difference_update(ids)
        self._room.set()

    async def share(self) -> int:
        """See `Subscription.lag`; says too that this member lives."""
        with translated():
            args = (self._group, self._member, self._milliseconds)
            share: Any = await self._link.script(redis_scripts.SHARE, (self._log,), args)
        return int(share)

    async def leave(self) -> None:
        """Let others have what is held."""
        with translated():
            await self._link.script(
                redis_scripts.LEAVE, (self._log,), (self._group, self._member), retry_for=0
            )

    async def hang_up(self) -> None:
        """Close the connection that waits."""
        line, self._line = self._line, None
        if line is not None:
            # Shielded: closing a socket takes no time, and left open it would hold a connection.
            with anyio.move_on_after(1, shield=True):
                await line[0].aclose()

    def _hold(self, place: bytes, fields: list[bytes]) -> Received:
        self._held.add(place)
        return Received(redis_entry.decode(self._topic, fields), (self._topic, place))

    @property
    def _milliseconds(self) -> int:
        return round(self._silence * 1000)

    async def _open(self) -> Connection:
        if self._line is None:
            stack = AsyncExitStack()
            self._line = stack, await stack.enter_async_context(self._link.reserve(self._log))
        return self._line[1]
