"""Moving one slot from node to node, key by key, as an operator's tool does."""

from typing import Any

from penstock.engine import keys
from penstock.engine.transport.slots import slot_of
from support.cluster import ValkeyCluster, call, node_id, wait
from support.redis_server import ValkeyServer


class Migration:
    """The slot of `queue` on its way from where it is to `target`."""

    def __init__(self, cluster: ValkeyCluster, queue: str, target: ValkeyServer) -> None:
        self.queue = queue
        self.slot = slot_of(keys.root(queue))
        self.source = cluster.owner(keys.root(queue))
        self.target = target
        self._cluster = cluster

    def begin(self) -> None:
        """Open the slot on both sides: from here on the source answers ASK for keys that it lacks."""
        call(self.target, "CLUSTER", "SETSLOT", self.slot, "IMPORTING", node_id(self.source))
        call(self.source, "CLUSTER", "SETSLOT", self.slot, "MIGRATING", node_id(self.target))

    def left(self) -> list[bytes]:
        """Keys that are still at the source."""
        found: list[bytes] = call(self.source, "CLUSTER", "GETKEYSINSLOT", self.slot, 10_000)
        return found

    def move(self, names: list[bytes]) -> None:
        """Hand keys over, one command for a hundred of them."""
        address: Any = "127.0.0.1", self.target.port, "", 0, 5000
        for first in range(0, len(names), 100):
            call(self.source, "MIGRATE", *address, "KEYS", *names[first : first + 100])

    def finish(self) -> None:
        """Move what is left and give the slot to its new owner."""
        self.move(self.left())
        for node in (self.target, self.source, *self._cluster.nodes):
            call(node, "CLUSTER", "SETSLOT", self.slot, "NODE", node_id(self.target))

    def can_be_at_once(self) -> bool:
        """Whether the servers can do so."""
        return any(line.startswith(b"MIGRATESLOTS") for line in call(self.source, "CLUSTER", "HELP"))

    def at_once(self) -> None:
        """Have the servers move the slot by themselves; return when its new owner has it."""
        bounds = "SLOTSRANGE", self.slot, self.slot
        call(self.source, "CLUSTER", "MIGRATESLOTS", *bounds, "NODE", node_id(self.target))
        key = keys.root(self.queue)
        wait(lambda: self._cluster.owner(key) is self.target, "the slot to arrive")
