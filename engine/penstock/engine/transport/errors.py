"""What Redis and the network say, in Penstock's words; the only place that reads error texts."""

from penstock.engine.errors import StoreForbidden, StoreFull, StoreRefused, StoreUnavailable


class ConnectionLost(StoreUnavailable):
    """The stream ended, stalled or spoke nonsense; what was sent on it may or may not have run."""


class StoreNotReady(StoreUnavailable):
    """The server answered that it cannot serve now (loading, read-only, busy); later it may."""


class ScriptMissing(StoreRefused):
    """The server does not know the script of this digest; send its source instead."""


class Moved(StoreNotReady):
    """The key's slot belongs to another node of the Cluster, which holds all of it.

    `host` is empty where the answering node does not say; it means the node that was asked.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.slot, self.host, self.port = _read_redirection(text)


def _read_redirection(text: str) -> tuple[int, str, int]:
    """`MOVED 3999 127.0.0.1:6381`: slot, host, port. Raises `ValueError` for anything else."""
    _, slot, endpoint = text.split(" ")
    host, _, port = endpoint.rpartition(":")
    return int(slot), "" if host == "?" else host, int(port)


StoreError = StoreUnavailable | StoreRefused

# The first word of an error reply is its code (https://valkey.io/topics/protocol/#simple-errors).
# The whole word counts: BUSY passes, BUSYGROUP and BUSYKEY do not.
_MEANING: dict[str, type[StoreError]] = {
    "ASK": StoreNotReady,  # never followed: docs/adr/0005
    "BUSY": StoreNotReady,
    "CLUSTERDOWN": StoreNotReady,
    "LOADING": StoreNotReady,
    "MASTERDOWN": StoreNotReady,
    "MISCONF": StoreNotReady,  # its disk is full or failing
    "MOVED": Moved,
    "NOAUTH": StoreForbidden,
    "NOPERM": StoreForbidden,
    "NOREPLICAS": StoreNotReady,
    "NOSCRIPT": ScriptMissing,
    "OOM": StoreFull,
    "READONLY": StoreNotReady,
    "TRYAGAIN": StoreNotReady,
    "UNBLOCKED": StoreNotReady,
    "WRONGPASS": StoreForbidden,
}


def from_reply(text: str) -> StoreError:
    """The exception for an error reply, its text kept as the message.

    A code not listed above becomes plain `StoreRefused`. Never raises.
    """
    if text.startswith("ERR max number of clients"):  # has no code of its own
        return StoreNotReady(text)
    if "ACL failure in script" in text or "The user executing the script can't" in text:  # nor has this
        return StoreForbidden(text)
    try:
        return _MEANING.get(text.partition(" ")[0], StoreRefused)(text)
    except ValueError:  # a redirection to nowhere
        return StoreRefused(text)
