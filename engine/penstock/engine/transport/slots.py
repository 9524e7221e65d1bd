"""Hash slots: in which one a key lies, and which node holds which, as nodes tell it. No I/O."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from redis import crc

from penstock.engine.transport.wire import Argument, Reply

SLOTS = 16384
_key_slot = cast(Callable[[bytes], int], crc.key_slot)  # CRC16 of the hash tag, as the servers count


@dataclass(frozen=True, slots=True)
class Node:
    """Where a node listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Who holds what: ranges of slots, last one included, with their master; and everybody, replicas too."""

    ranges: tuple[tuple[int, int, Node], ...]
    nodes: frozenset[Node]


def slot_of(key: str | bytes) -> int:
    """The slot of a key or of a sharded channel."""
    return _key_slot(key.encode() if isinstance(key, str) else key)


def routing_key(words: Sequence[Argument]) -> str | bytes | None:
    """The key that says where a command goes; see `Link` for the rule. None: anywhere."""
    place = 3 if words and words[0] in ("EVAL", "EVALSHA") else 1
    key = words[place] if len(words) > place else None
    return key if key is None or isinstance(key, str | bytes) else str(key)


def read_shards(reply: Reply, asked: Node, *, tls: bool) -> Layout:
    """An answer to CLUSTER SHARDS of the node `asked`.

    Of several nodes that call themselves master of a shard, as during a failover, one that is online
    counts. Raises `ValueError` for anything else than such an answer.
    """
    ranges: list[tuple[int, int, Node]] = []
    nodes: set[Node] = set()
    for shard in _list(reply):
        facts = _facts(shard)
        masters: list[tuple[bool, Node]] = []
        for about in map(_facts, _list(facts[b"nodes"])):
            port = about.get(b"tls-port") if tls else about.get(b"port")
            if not isinstance(port, int):
                continue  # it does not listen in this way
            node = Node(_host(about[b"endpoint"], asked), port)
            nodes.add(node)
            if about[b"role"] == b"master":
                masters.append((about[b"health"] == b"online", node))
        bounds = _list(facts[b"slots"])
        if masters:
            master = max(masters, key=lambda one: one[0])[1]
            ranges += [(_int(a), _int(b), master) for a, b in zip(bounds[::2], bounds[1::2], strict=True)]
    return Layout(tuple(ranges), frozenset(nodes))


def read_slots(reply: Reply, asked: Node) -> Layout:
    """An answer to CLUSTER SLOTS, as `read_shards` reads the newer one."""
    ranges: list[tuple[int, int, Node]] = []
    nodes: set[Node] = set()
    for entry in _list(reply):
        first, last, *holders = _list(entry)
        holding = [Node(_host(about[0], asked), _int(about[1])) for about in map(_list, holders)]
        nodes.update(holding)
        ranges.append((_int(first), _int(last), holding[0]))
    return Layout(tuple(ranges), frozenset(nodes))


def _host(endpoint: Reply, asked: Node) -> str:
    """Nothing, '' and '?' mean the host that was asked (cluster-preferred-endpoint-type)."""
    return asked.host if endpoint in (None, b"", b"?") else _bytes(endpoint).decode()


def _facts(reply: Reply) -> dict[Reply, Reply]:
    flat = _list(reply)
    return dict(zip(map(_bytes, flat[::2]), flat[1::2], strict=True))


def _list(reply: Reply) -> list[Reply]:
    if not isinstance(reply, list):
        raise ValueError(f"a list was expected, not {reply!r}")
    return reply


def _bytes(reply: Reply) -> bytes:
    if not isinstance(reply, bytes):
        raise ValueError(f"text was expected, not {reply!r}")
    return reply


def _int(reply: Reply) -> int:
    if not isinstance(reply, int):
        raise ValueError(f"a number was expected, not {reply!r}")
    return reply
