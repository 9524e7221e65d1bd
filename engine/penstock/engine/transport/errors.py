"""What Redis and the network say, in Penstock's words; the only place that reads error texts."""

from penstock.engine.errors import StoreFull, StoreRefused, StoreUnavailable


class ConnectionLost(StoreUnavailable):
    """The stream ended, stalled or spoke nonsense; what was sent on it may or may not have run."""


class StoreNotReady(StoreUnavailable):
    """The server answered that it cannot serve now (loading, read-only, busy); later it may."""


class ScriptMissing(StoreRefused):
    """The server does not know the script of this digest; send its source instead."""


StoreError = StoreUnavailable | StoreRefused

# The first word of an error reply is its code (https://valkey.io/topics/protocol/#simple-errors).
# The whole word counts: BUSY passes, BUSYGROUP and BUSYKEY do not.
_MEANING: dict[str, type[StoreError]] = {
    "BUSY": StoreNotReady,
    "CLUSTERDOWN": StoreNotReady,
    "LOADING": StoreNotReady,
    "MASTERDOWN": StoreNotReady,
    "MISCONF": StoreNotReady,  # its disk is full or failing
    "NOREPLICAS": StoreNotReady,
    "NOSCRIPT": ScriptMissing,
    "OOM": StoreFull,
    "READONLY": StoreNotReady,
    "TRYAGAIN": StoreNotReady,
    "UNBLOCKED": StoreNotReady,
}


def from_reply(text: str) -> StoreError:
    """The exception for an error reply, its text kept as the message.

    A code not listed above becomes plain `StoreRefused`. Never raises.
    """
    if text.startswith("ERR max number of clients"):  # has no code of its own
        return StoreNotReady(text)
    return _MEANING.get(text.partition(" ")[0], StoreRefused)(text)
