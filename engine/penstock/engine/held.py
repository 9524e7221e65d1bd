"""One claimed job in the hands of this worker, from claim to settlement."""

from typing import Literal

import trio

from penstock.engine.store import Claimed

Reason = Literal["cancelled", "shutdown", "lost"]


class Held:
    """Owned by the shift that claimed it; `scope` exists while its handler runs."""

    __slots__ = ("began", "claimed", "now", "number", "queue", "reason", "scope", "since", "suspect")

    def __init__(self, queue: str, claimed: Claimed, number: int, now: int, since: float) -> None:
        self.queue = queue
        self.claimed = claimed
        self.number = number  # of the claim
        self.now = now  # the store's clock at the claim, milliseconds
        self.since = since  # the loop's clock at the claim, seconds
        self.began = since  # … when its attempt began
        self.suspect = claimed.raw.split(b" ", 4)[3:4] != [b"0"]  # the header's fourth word: crashes
        self.scope: trio.CancelScope | None = None
        self.reason: Reason | None = None

    def stop(self, reason: Reason) -> None:
        """Cancel the handler, or keep it from starting; the first reason stands."""
        if self.reason is None:
            self.reason = reason
        if self.scope is not None:
            self.scope.cancel()
