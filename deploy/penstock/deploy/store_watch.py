"""Beside the work: is the store set up to keep jobs, and does it allow what we need? Said once, in the log.

Nothing here delays the work, and nothing but a server too old ends it.
"""

from collections.abc import Sequence

import trio
from structlog.typing import FilteringBoundLogger

from penstock.deploy.examination import DEFAULT_QUEUES, examine
from penstock.deploy.findings import Finding
from penstock.deploy.permissions import refused_commands, remedy
from penstock.engine.errors import PenstockError, StoreRefused, StoreUnavailable
from penstock.engine.transport import Link

_AWAY = 1.0  # seconds between tries until the store has answered for the first time
_ALLOWED, _REFUSED = 10.0, 2.0
"""Seconds between looks at the ACL, which may change under us: while all is well, and while it is not."""


class UnsuitableServer(PenstockError):
    """The server is too old: nothing that is sent to it can work."""


async def look_once(link: Link, queues: Sequence[str], log: FilteringBoundLogger) -> None:
    """Wait until the store answers and log what is not as it should be.

    Permissions are left to `PermissionWatch`. Raises `UnsuitableServer`.
    """
    for finding in await _first_look(link, queues, log):
        if finding.subject == "version" and finding.verdict == "failed":
            raise UnsuitableServer(finding.detail)
        if finding.verdict != "ok" and finding.subject not in ("permissions", "scripting"):
            log.warning("the store is not as it should be", check=finding.subject, found=finding.detail)


async def _first_look(link: Link, queues: Sequence[str], log: FilteringBoundLogger) -> list[Finding]:
    told = ""
    while True:
        try:
            return await examine(link, queues or DEFAULT_QUEUES)
        except StoreUnavailable:
            pass  # whoever needs the store says that it is away
        except StoreRefused as error:  # the login, or not what its address says
            if str(error) != told:
                log.error("the store refuses us", error=str(error))
            told = str(error)
        await trio.sleep(_AWAY)


class PermissionWatch:
    """Knows which commands the server's ACL keeps from this process."""

    def __init__(self, link: Link, queues: Sequence[str], log: FilteringBoundLogger) -> None:
        """Ask about the keys of `queues`."""
        self._link = link
        self._queues = queues or DEFAULT_QUEUES
        self._log = log
        self.refused: list[str] = []
        """While there are any, this process is not ready."""

    async def run(self) -> None:
        """Look now and then until cancelled; one line when something is taken away or given back."""
        while True:
            await self.look()
            await trio.sleep(_REFUSED if self.refused else _ALLOWED)

    async def look(self) -> None:
        """Look once; without an answer what is known stays."""
        try:
            refused = await refused_commands(self._link, self._queues)
        except StoreUnavailable:
            return
        if refused and refused != self.refused:
            self._log.error(
                "the store refuses commands that are needed",
                commands=refused,
                remedy=remedy(refused, self._queues),
            )
        elif self.refused and not refused:
            self._log.warning("the store allows every command again")
        self.refused = refused
