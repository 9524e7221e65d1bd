"""A real Cluster of one's own: masters and replicas on free ports, gone at the end of the block."""

import time
import uuid
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, cast

import trio
from redis import connection as redis_connection
from redis import exceptions as redis_errors

from penstock.engine import keys
from penstock.engine.transport.slots import SLOTS, slot_of
from support.processes import free_port
from support.redis_server import ValkeyServer, valkey_server

_WITHIN = 40.0  # seconds; forming a Cluster takes about two, a failover as long
_CONFIG = (
    *("--cluster-enabled", "yes", "--cluster-node-timeout", "1000"),
    *("--cluster-replica-validity-factor", "0", "--cluster-allow-replica-migration", "no"),
    *("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"),
)


_connect = cast(Callable[..., Any], redis_connection.Connection)  # it ships no types


class Listening(Protocol):
    """Whatever answers on a port of this machine."""

    port: int


def call(node: Listening, *command: str | bytes | int) -> Any:
    """Ask one server, by a client that is not ours and follows nothing.

    Raises redis-py's `ResponseError`, or `OSError` where nobody answers.
    """
    connection = _connect(host="127.0.0.1", port=node.port, protocol=2, socket_timeout=5)
    try:
        connection.send_command(*command)
        return connection.read_response()
    except (redis_errors.ConnectionError, redis_errors.TimeoutError) as error:
        raise OSError(str(error)) from error
    finally:
        connection.disconnect()


def wait(happened: Callable[[], bool], what: str) -> None:
    """Look again and again, for a bounded time. Raises `TimeoutError`."""
    deadline = time.monotonic() + _WITHIN
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {_WITHIN:g} s for {what}")
        time.sleep(0.02)


async def happens(happened: Callable[[], bool], what: str) -> None:
    """`wait` for tests whose other tasks go on meanwhile."""
    await trio.to_thread.run_sync(wait, happened, what)


def role(node: ValkeyServer) -> str:
    """`master`, `slave`, or nothing from a node that does not answer."""
    try:
        return cast(bytes, call(node, "ROLE")[0]).decode()
    except OSError:
        return ""


class ValkeyCluster:
    """Nodes that have met; `url` names all of them. The first of `nodes` began as `masters`."""

    def __init__(self, nodes: list[ValkeyServer], masters: int) -> None:
        self.nodes = nodes
        self.masters = nodes[:masters]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)

    def form(self) -> None:
        """Share the slots out equally, deal replicas out in turn, and wait until all serve."""
        count = len(self.masters)
        for number, node in enumerate(self.masters):
            call(node, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            bounds = SLOTS * number // count, SLOTS * (number + 1) // count - 1
            call(node, "CLUSTER", "ADDSLOTSRANGE", *bounds)
        for node in self.nodes[1:]:
            bus = int(call(node, "CONFIG", "GET", "cluster-port")[1])
            call(self.nodes[0], "CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        wait(self._all_serve, "all nodes to have met")
        for number, node in enumerate(self.nodes[count:]):
            call(node, "CLUSTER", "REPLICATE", node_id(self.masters[number % count]))
        wait(self._all_serve, "all nodes to know their replicas")
        wait(self._all_follow, "the replicas to follow")

    def owner(self, key: str) -> ValkeyServer:
        """The node that says itself that it holds `key`."""
        slot = slot_of(key)
        for node in self.nodes:
            if role(node) != "master":
                continue
            for first, last, holder, *_ in call(node, "CLUSTER", "SLOTS"):
                if first <= slot <= last and holder[1] == node.port:
                    return node
        raise LookupError(f"nobody holds slot {slot}")

    def replica(self, master: ValkeyServer) -> ValkeyServer:
        """A node that follows `master`."""
        for node in self.nodes:
            if role(node) == "slave" and call(node, "ROLE")[2] == master.port:
                return node
        raise LookupError(f"nobody follows {master.port}")

    def queue_on(self, master: ValkeyServer) -> str:
        """The name of a new queue whose keys lie on `master`."""
        for _ in range(1000):
            queue = f"q{uuid.uuid4().hex[:8]}"
            if self.owner(keys.root(queue)) is master:
                return queue
        raise LookupError(f"{master.port} holds hardly any slot")

    def serves(self, node: ValkeyServer) -> bool:
        """Whether a node has met all others and answers for its slots."""
        wanted = {"cluster_state:ok", f"cluster_known_nodes:{len(self.nodes)}"}
        return wanted <= set(call(node, "CLUSTER", "INFO").decode().split())

    def _all_serve(self) -> bool:
        return all(map(self.serves, self.nodes))

    def _all_follow(self) -> bool:
        roles = [call(node, "ROLE") for node in self.nodes[len(self.masters) :]]
        return all(role[0] == b"slave" and role[3] == b"connected" for role in roles)


def node_id(node: ValkeyServer) -> str:
    """What a node calls itself."""
    return cast(bytes, call(node, "CLUSTER", "MYID")).decode()


@contextmanager
def valkey_cluster(
    nodes: int = 3, *, replicas: int = 0, config: tuple[str, ...] = ()
) -> Generator[ValkeyCluster]:
    """Run a Cluster of `nodes` masters with so many replicas each, on the embedded server's binary.

    A node counts as failed after one second. Plain subprocesses, as `valkey_server`.
    """
    with ExitStack() as stack:
        servers = [_start(stack, config) for _ in range(nodes * (1 + replicas))]
        cluster = ValkeyCluster(servers, nodes)
        cluster.form()
        yield cluster


def _start(stack: ExitStack, config: tuple[str, ...]) -> ValkeyServer:
    """A node on two free ports; somebody else may have been quicker to take one of them."""
    tries = 3
    while True:
        tries -= 1
        bus = "--cluster-port", str(free_port())
        try:
            return stack.enter_context(valkey_server(*_CONFIG, *bus, *config, tcp=True))
        except RuntimeError:
            if not tries:
                raise
