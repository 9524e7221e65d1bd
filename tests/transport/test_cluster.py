"""How the Cluster link finds its way; real Clusters are in tests/topologies."""

import math
from functools import partial

import pytest
import trio

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.transport import Cluster, Script, StoreNotReady, topology
from penstock.engine.transport.slots import slot_of
from transport.fake_nodes import OK, FakeNode, fake_nodes, moved, shards, slots
from transport.fake_stream import Answer, bulk

LOW, HIGH = "b", "a"  # keys in the lower and in the upper half of the slots
UNKNOWN = b"-ERR unknown subcommand\r\n"


def url(*nodes: FakeNode) -> str:
    return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)


def node(layout: bytes, answer: Answer = lambda command: bulk(command[-1])) -> Answer:
    """A node that tells `layout` and answers anything else by `answer`."""
    return lambda command: layout if command[:2] == [b"CLUSTER", b"SHARDS"] else answer(command)


async def test_each_command_goes_to_the_holder_of_its_key() -> None:
    """Plain commands, pipelines and scripts; a command without a key goes to any of them."""
    assert slot_of(LOW) < 8192 <= slot_of(HIGH)
    async with fake_nodes(2) as (one, two):
        one.answer = two.answer = node(shards(one, two))
        async with Cluster(url(one)) as link:
            await link.execute("GET", LOW)
            await link.pipeline([("EVALSHA", "sha", 1, HIGH), ("WAIT", 0, 0)])
            await link.script(Script("probe", "return 1"), [HIGH])
            await link.execute("PING")
            assert link.connects == 2
            assert link.up
        assert one.count(b"GET") == 1
        assert two.count(b"EVALSHA") == 2
        assert two.count(b"WAIT") == 1
        assert one.count(b"PING") + two.count(b"PING") == 1


async def test_many_callers_learn_the_layout_by_one_question() -> None:
    """However many there are at the start, one node is asked once, and one connection a node is opened."""
    async with fake_nodes(2) as (one, two):
        one.answer = two.answer = node(shards(one, two))
        async with Cluster(url(one, two)) as link, trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(partial(link.execute, "GET", f"k{number}"))
        assert one.count(b"CLUSTER") + two.count(b"CLUSTER") == 1
        assert link.connects == 2
        assert link.traffic.commands_sent == 100 + 2 * 2  # greetings


@pytest.mark.parametrize("host", ["127.0.0.1", "", "?"])
async def test_a_redirection_is_followed_and_the_layout_learnt_anew(host: str) -> None:
    """Many callers with redirections cause one question; later calls go straight to the new holder."""
    async with fake_nodes(8) as (old, new, *late):
        for one in (old, new, *late):
            one.answer = node(shards(old, old, replicas=late))
        async with Cluster(url(old)) as link:
            await link.execute("PING")
            old.answer = node(shards(old, old), lambda command: moved(slot_of(command[-1]), new, host))
            new.answer = node(shards(new, new))
            link._topology._last_asked = -math.inf  # a moment ago would be too soon to ask again
            async with trio.open_nursery() as nursery:
                for number in range(50):
                    nursery.start_soon(partial(link.execute, "GET", f"k{number}"))
            assert old.count(b"GET") <= 50
            assert new.count(b"GET") == 50
            assert (old.count(b"CLUSTER"), new.count(b"CLUSTER")) == (1, 1)  # who was named knows best
            asked = old.count(b"GET")
            await link.execute("GET", "another")
            assert old.count(b"GET") == asked


async def test_nodes_that_name_each_other_are_not_asked_for_ever() -> None:
    """They do not agree yet: a few redirections at once, then with growing pauses, then the call fails."""
    async with fake_nodes(2) as (one, two):
        one.answer = node(shards(one, two), lambda command: moved(slot_of(command[-1]), two))
        two.answer = node(shards(one, two), lambda command: moved(slot_of(command[-1]), one))
        async with Cluster(url(one)) as link:
            with trio.fail_after(10), pytest.raises(StoreUnavailable, match=r"gave no answer .* MOVED"):
                await link.execute("GET", LOW, retry_for=1)
        assert 6 < one.count(b"GET") + two.count(b"GET") < 60
        assert one.count(b"CLUSTER") + two.count(b"CLUSTER") < 20


@pytest.mark.parametrize("code", ["ASK 1 127.0.0.1:1", "TRYAGAIN x", "CLUSTERDOWN x", "LOADING x"])
async def test_not_now_is_waited_for_on_the_same_connection(code: str) -> None:
    """Nothing is sent elsewhere, ASKING least of all, and other callers' calls in flight are not lost."""
    async with fake_nodes(1) as [only]:
        answers = [f"-{code}\r\n".encode()] * 3
        only.answer = node(shards(only), lambda command: answers.pop() if answers else bulk(command[-1]))
        async with Cluster(url(only)) as link:
            assert await link.execute("GET", LOW) == LOW.encode()
            assert link.connects == 1
        assert only.count(b"ASKING") == 0
        assert only.count(b"GET") == 4


async def test_a_single_try_tells_at_once() -> None:
    """`retry_for=0` does not wait for a migration to end; a redirection is no failure, it is followed."""
    async with fake_nodes(2) as (one, two):
        one.answer = node(shards(one, one), lambda command: moved(slot_of(command[-1]), two))
        two.answer = node(shards(two, two), lambda _: b"-ASK 1 127.0.0.1:1\r\n")
        async with Cluster(url(one)) as link:
            with pytest.raises(StoreUnavailable, match="ASK"):
                await link.execute("GET", LOW, retry_for=0)
        assert two.count(b"GET") == 1


async def test_an_older_question_does_where_the_newer_one_is_refused() -> None:
    """CLUSTER SLOTS says the same as CLUSTER SHARDS."""
    async with fake_nodes(2) as (one, two):
        one.answer = lambda command: UNKNOWN if command[1] == b"SHARDS" else slots(one, two)
        two.answer = lambda command: bulk(command[-1])
        async with Cluster(url(one)) as link:
            assert await link.execute("GET", HIGH) == HIGH.encode()


@pytest.mark.parametrize("answer", [b"-ERR This instance has cluster support disabled\r\n", b"+PONG\r\n"])
async def test_an_address_that_is_no_cluster_is_refused(answer: bytes) -> None:
    """The error says so and what to write instead; it is not tried again."""
    async with fake_nodes(1) as [only]:
        only.answer = lambda _: answer
        async with Cluster(url(only)) as link:
            with pytest.raises(StoreRefused, match=r"not answer as a node of a Cluster.*redis://"):
                await link.execute("GET", LOW)
            with pytest.raises(StoreRefused, match="not answer as a node"):
                async with link.subscribe("c"):
                    pass


async def test_a_node_that_says_nothing_does_not_hide_the_others() -> None:
    """A stalled one costs a second, one that is gone nothing."""
    async with fake_nodes(3) as (stalled, gone, sound):
        stalled.answer = lambda _: b""
        gone.kill()
        sound.answer = node(shards(sound))
        async with Cluster(url(gone, stalled, sound)) as link:
            assert await link.execute("GET", LOW) == LOW.encode()


async def test_a_slot_that_nobody_holds_is_waited_for() -> None:
    """As while a Cluster is being put together; the error names the slot."""
    async with fake_nodes(1) as [only]:
        only.answer = node(shards(only).replace(b":16383\r\n", b":9\r\n"))
        async with Cluster(url(only)) as link:
            with pytest.raises(StoreUnavailable, match=f"holds slot {slot_of(LOW)}"):
                await link.execute("GET", LOW, retry_for=0)
            only.answer = node(shards(only))
            assert await link.execute("GET", LOW) == LOW.encode()


async def test_a_node_without_slots_does_not_tell_the_layout() -> None:
    """One that was taken out of the Cluster knows only itself; another is asked."""
    async with fake_nodes(2) as (outcast, sound):
        outcast.answer = node(b"*0\r\n")
        sound.answer = node(shards(sound))
        async with Cluster(url(outcast, sound)) as link:
            assert await link.execute("GET", LOW) == LOW.encode()


async def test_a_node_that_vanishes_is_replaced_by_what_the_others_say() -> None:
    """Its slots are asked for elsewhere, and nothing goes to it any more."""
    async with fake_nodes(3) as (dying, sound, heir):
        dying.answer = sound.answer = node(shards(dying, sound, replicas=[heir]))
        heir.answer = node(shards(heir, sound))
        async with Cluster(url(dying)) as link:
            await link.execute("GET", LOW)
            await link.execute("GET", HIGH)
            sound.answer = node(shards(heir, sound))
            dying.kill()
            assert await link.execute("GET", LOW) == LOW.encode()
            assert heir.count(b"GET") == 1


async def test_connections_to_nodes_that_left_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the new layout does not name is let go."""
    monkeypatch.setattr(topology, "_PAUSE", 0.0)
    async with fake_nodes(2) as (leaving, staying):
        leaving.answer = staying.answer = node(shards(leaving, staying))
        async with Cluster(url(leaving)) as link:
            await link.execute("GET", LOW)
            staying.answer = node(shards(staying))
            leaving.answer = node(shards(staying), lambda command: moved(slot_of(command[-1]), staying))
            assert await link.execute("GET", LOW) == LOW.encode()
            with trio.fail_after(5):
                while leaving.clients:
                    await trio.testing.wait_all_tasks_blocked()


async def test_a_reserved_connection_says_when_its_key_has_moved() -> None:
    """The next one goes to the new holder."""
    async with fake_nodes(2) as (old, new):
        old.answer = node(shards(old, old), lambda command: moved(slot_of(command[-1]), new))
        new.answer = node(shards(new, new))
        async with Cluster(url(old)) as link:
            with pytest.raises(StoreNotReady, match="MOVED"):
                async with link.reserve(LOW) as connection:
                    await connection.execute("GET", LOW)
            async with link.reserve(LOW) as connection:
                assert await connection.execute("GET", LOW) == LOW.encode()
        assert new.count(b"GET") == 1


async def test_a_closed_link_stays_closed() -> None:
    """Calls in flight end, later ones and new kinds of them are refused, and no connection is left."""
    async with fake_nodes(1) as [only]:
        only.answer = node(shards(only), lambda _: b"")

        async def caller() -> None:
            with pytest.raises(StoreUnavailable, match="closed here"):
                await link.execute("GET", LOW, retry_for=60)

        async with trio.open_nursery() as nursery:
            link = Cluster(url(only))
            nursery.start_soon(caller)
            with trio.fail_after(5):
                while not only.count(b"GET"):
                    await trio.testing.wait_all_tasks_blocked()
            await link.aclose()
        with pytest.raises(StoreUnavailable, match="closed here"):
            await link.execute("GET", LOW)
        with pytest.raises(StoreUnavailable, match="closed here"):
            async with link.reserve(LOW):
                pass
        assert not link.up


async def test_a_refusal_is_not_repeated() -> None:
    """An error of another kind is the caller's at once."""
    async with fake_nodes(1) as [only]:
        only.answer = node(shards(only), lambda _: b"-WRONGTYPE no\r\n")
        async with Cluster(url(only)) as link:
            with pytest.raises(StoreRefused, match="WRONGTYPE"):
                await link.execute("GET", LOW)
            only.answer = node(shards(only), lambda _: OK)
            assert await link.execute("SET", LOW, 1) == b"OK"
            assert link.connects == 1
