import pytest

from penstock.engine import keys
from penstock.engine.transport.slots import Node, read_shards, read_slots, routing_key, slot_of
from penstock.engine.transport.wire import Command, Reply

ASKED = Node("asked", 7000)


def about(port: int, **facts: Reply) -> Reply:
    """One node of a shard as CLUSTER SHARDS tells of it."""
    known: dict[str, Reply] = {"port": port, "endpoint": b"h", "role": b"master", "health": b"online"}
    return [
        word for name, value in (known | facts).items() for word in (name.replace("_", "-").encode(), value)
    ]


def shard(slots: list[Reply], *nodes: Reply) -> Reply:
    return [b"slots", slots, b"nodes", list(nodes), b"id", b"x"]


def test_a_key_lies_in_the_slot_that_servers_say() -> None:
    """Values of CLUSTER KEYSLOT of Valkey 9; all that is a queue's lies in the queue's slot."""
    assert [slot_of(key) for key in ("", "foo", b"{user1000}.following", "penstock:queues")] == [
        *(0, 12182, 3443, slot_of(b"penstock:queues"))
    ]
    assert {slot_of(keys.root("q")), slot_of(keys.job("q", "x")), slot_of(keys.events("q"))} == {slot_of("q")}


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("GET", "k"), "k"),
        (("SSUBSCRIBE", b"c"), b"c"),
        (("EVALSHA", "sha", 1, "k", "arg"), "k"),
        (("EVAL", "return 1", 0), None),
        ((1, "k", "arg"), "k"),  # a script's operands
        (("PING",), None),
        (("WAIT", 1, 100), "1"),  # it has no key: anywhere will do
        ((), None),
    ],
)
def test_the_second_word_is_the_key(words: Command, key: str | bytes | None) -> None:
    """Or the first of a script's keys; a command without one goes anywhere."""
    assert routing_key(words) == key


def test_shards_tell_who_holds_what() -> None:
    """Several ranges a shard; replicas are known and hold nothing."""
    layout = read_shards(
        [shard([0, 9, 20, 29], about(1), about(2, role=b"replica")), shard([10, 19], about(3)), shard([])],
        ASKED,
        tls=False,
    )
    assert layout.ranges == ((0, 9, Node("h", 1)), (20, 29, Node("h", 1)), (10, 19, Node("h", 3)))
    assert layout.nodes == {Node("h", 1), Node("h", 2), Node("h", 3)}


def test_of_two_masters_the_one_that_is_online_counts() -> None:
    """After a failover the dead master is still listed as one."""
    reply: Reply = [shard([0, 9], about(1, health=b"fail"), about(2))]
    assert read_shards(reply, ASKED, tls=False).ranges == ((0, 9, Node("h", 2)),)
    alone: Reply = [shard([0, 9], about(1, health=b"fail"))]
    assert read_shards(alone, ASKED, tls=False).ranges == ((0, 9, Node("h", 1)),)


@pytest.mark.parametrize("endpoint", [None, b"", b"?"])
def test_an_unknown_endpoint_is_the_host_that_was_asked(endpoint: bytes | None) -> None:
    """As with cluster-preferred-endpoint-type unknown-endpoint, behind a proxy."""
    layout = read_shards([shard([0, 9], about(1, endpoint=endpoint))], ASKED, tls=False)
    assert layout.ranges == ((0, 9, Node("asked", 1)),)
    older = read_slots([[0, 9, [endpoint, 1, b"id"]]], ASKED)
    assert older.ranges == ((0, 9, Node("asked", 1)),)


def test_tls_has_ports_of_its_own() -> None:
    """A node that does not listen in the way we come is left out."""
    reply: Reply = [shard([0, 9], about(1, tls_port=2), about(3, role=b"replica"))]
    layout = read_shards(reply, ASKED, tls=True)
    assert layout.ranges == ((0, 9, Node("h", 2)),)
    assert layout.nodes == {Node("h", 2)}


def test_the_older_answer_says_the_same() -> None:
    """CLUSTER SLOTS: master first, then replicas."""
    layout = read_slots([[0, 9, [b"h", 1, b"id"], [b"h", 2, b"id", []]], [10, 19, [b"h", 3, b"id"]]], ASKED)
    assert layout.ranges == ((0, 9, Node("h", 1)), (10, 19, Node("h", 3)))
    assert layout.nodes == {Node("h", 1), Node("h", 2), Node("h", 3)}


@pytest.mark.parametrize("reply", [None, b"OK", 1, [1], [[b"slots"]], [[b"slots", 1, b"nodes", []]], [[]]])
def test_nonsense_is_told_from_an_answer(reply: Reply) -> None:
    """Whoever asks turns these into an error that names the server."""
    with pytest.raises((ValueError, LookupError)):
        read_shards(reply, ASKED, tls=False)
