"""What links count, always, and the operations of a traced one."""

from collections.abc import Generator
from contextlib import contextmanager, suppress

import pytest
import trio
from opentelemetry.semconv.attributes import db_attributes, error_attributes, server_attributes
from trio.testing import MockClock

from job_cache.heard import Heard, hearing
from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.operation import Headers, Operation
from penstock.engine.transport import (
    METRICS,
    Address,
    Cluster,
    Connection,
    Redis,
    Script,
    Traced,
    Traffic,
    open_link,
)
from penstock.engine.transport.operation_name import command_name, pipeline_name
from support.cluster import valkey_cluster
from support.redis_server import ValkeyServer, valkey_server
from transport.fake_stream import FakeStream, connection_on, silence

ECHO = Script("echo", "return ARGV[1]")


@pytest.fixture
def heard() -> Generator[Heard]:
    """What the transport's metrics are told."""
    with hearing(METRICS) as listening:
        yield listening


class Operations:
    """Remembers operations once they have ended, and what came out of the block."""

    def __init__(self) -> None:
        self.ended: list[Operation] = []
        self.raised: list[BaseException] = []

    @contextmanager
    def around(self, operation: Operation) -> Generator[Headers]:
        try:
            yield {}
        except BaseException as error:
            self.raised.append(error)
            raise
        finally:
            self.ended.append(operation)


def of_streams(*streams: FakeStream) -> Redis:
    waiting = list(streams)

    async def connect(_address: Address, _traffic: Traffic) -> Connection:
        await trio.lowlevel.checkpoint()
        if not waiting:
            raise StoreUnavailable("nobody there")
        return connection_on(waiting.pop(0))

    return Redis(Address(host="fake", port=7), connect=connect)


# --- metrics --------------------------------------------------------------------------------


async def test_each_round_trip_is_timed_under_its_operation(valkey: ValkeyServer, heard: Heard) -> None:
    """A command by its name, a script by its own, a pipeline once however many commands it has."""
    async with Redis(valkey.url) as link:
        await link.execute("ping")
        await link.execute(b"PING")
        await link.script(ECHO, ["k"], ["x"])
        await link.pipeline([("GET", f"k{number}") for number in range(100)])
        await link.pipeline([("GET", "a"), ("EXISTS", "a")])
        await link.pipeline([("GET", "a")])
        assert await link.pipeline([]) == []
    timed = heard.observed("redis_command_seconds")
    operations = [labels[0] for labels, _ in timed]
    assert operations == ["PING", "PING", "echo", "PIPELINE GET", "PIPELINE", "GET"]
    assert all(0 < seconds < 20 for _, seconds in timed)
    assert heard.tally("redis_errors") == {}


async def test_the_time_is_the_servers_and_the_ways(valkey: ValkeyServer, heard: Heard) -> None:
    """A slow command is seen as one."""
    async with Redis(valkey.url) as link:
        await link.execute("DEBUG", "SLEEP", "0.05")
    ((labels, seconds),) = heard.observed("redis_command_seconds")
    assert labels == ("DEBUG",)
    assert seconds >= 0.05


async def test_errors_are_counted_by_their_class(valkey: ValkeyServer, heard: Heard) -> None:
    """Those that are raised, and those among the replies of a pipeline."""
    async with Redis(valkey.url) as link:
        await link.execute("RPUSH", "a list", "x")
        with pytest.raises(StoreRefused):
            await link.execute("GET", "a list")
        await link.pipeline([("GET", "a list"), ("GET", "other"), ("GET", "a list")])
    assert heard.tally("redis_errors") == {("StoreRefused",): 3}


async def test_every_try_that_fails_is_counted(autojump_clock: MockClock, heard: Heard) -> None:
    """Though the call succeeds in the end: who only looks at calls does not see a server that flaps."""
    link = of_streams(FakeStream(lambda _: b"-READONLY no\r\n"), FakeStream(silence), FakeStream())
    assert await link.execute("ECHO", "x", timeout=0.5) == b"x"
    with pytest.raises(StoreUnavailable):
        await of_streams().execute("PING", retry_for=0)
    assert heard.tally("redis_errors") == {
        ("StoreNotReady",): 1,
        ("ConnectionLost",): 1,
        ("StoreUnavailable",): 1,
    }
    assert heard.tally("redis_reconnects") == {(): 2}


async def test_open_connections_are_told_by_what_they_are_for(valkey: ValkeyServer, heard: Heard) -> None:
    """Up when one opens, down when it is closed or lost."""
    began: dict[str, float] = {}

    def standing(state: str) -> float:
        return heard.last("redis_connections", state) - began[state]

    async with Redis(valkey.url) as first:  # to learn what other tests of this process left
        await first.execute("PING")
        async with first.reserve("k"), first.subscribe("c"):
            began = {state: heard.last("redis_connections", state) for state in STATES}
    assert [standing(state) for state in STATES] == [-1, -1, -1]

    async with Redis(valkey.url) as link:
        await link.execute("PING")
        await link.execute("PING")
        assert standing("shared") == 0
        with suppress(LookupError):
            async with link.reserve("k"), link.subscribe("c"):
                assert [standing(state) for state in STATES] == [0, 0, 0]
                raise LookupError
        assert [standing(state) for state in STATES] == [0, -1, -1]
    assert standing("shared") == -1
    await link.aclose()
    assert standing("shared") == -1, "closing twice counts once"


STATES = ("shared", "reserved", "subscribed")


async def test_a_lost_connection_is_counted_as_gone_and_its_successor_as_a_reconnect(heard: Heard) -> None:
    """The first opening is none."""
    with valkey_server() as server:
        async with Redis(server.url) as link:
            await link.execute("PING")
            stands = heard.last("redis_connections", "shared")
            assert heard.tally("redis_reconnects") == {}
            await trio.to_thread.run_sync(server.restart)
            await link.execute("PING")
            assert heard.last("redis_connections", "shared") == stands
            assert heard.tally("redis_reconnects") == {(): 1}
        assert heard.last("redis_connections", "shared") == stands - 1


async def test_a_cluster_is_counted_alike(heard: Heard) -> None:
    """One shared connection for each node that was needed, others for what blocks."""
    with valkey_cluster(3) as masters:
        async with Cluster(masters.url) as link:
            for number in range(30):
                await link.execute("SET", f"k{number}", "x")
            shared = heard.last("redis_connections", "shared")
            with pytest.raises(StoreRefused):
                await link.execute("LPUSH", "k1", "x")
            async with link.reserve("k1"), link.subscribe("k1"):
                busy = [heard.last("redis_connections", state) for state in STATES]
            idle = [heard.last("redis_connections", state) for state in STATES]
            assert [one - other for one, other in zip(busy, idle, strict=True)] == [0, 1, 1]
        assert shared - heard.last("redis_connections", "shared") == 3
    assert heard.tally("redis_errors") == {("StoreRefused",): 1}
    assert [labels for labels, _ in heard.observed("redis_command_seconds")] == [("SET",)] * 30


async def test_a_failed_try_on_a_cluster_is_counted(heard: Heard) -> None:
    """Here, that nobody answers."""
    link = Cluster("redis+cluster://127.0.0.1:1")
    with pytest.raises(StoreUnavailable):
        await link.execute("GET", "k", retry_for=0)
    assert heard.tally("redis_errors") == {("StoreUnavailable",): 1}


def test_names_say_nothing_of_arguments() -> None:
    """The first word, in capitals."""
    assert command_name(("set", "key", "value")) == "SET"
    assert command_name((b"\xff",)) == "\N{REPLACEMENT CHARACTER}"
    assert pipeline_name([("SET", "a"), ("SET", "b")]) == "PIPELINE SET"


# --- spans ----------------------------------------------------------------------------------


async def test_a_traced_link_makes_an_operation_of_each_call(valkey: ValkeyServer) -> None:
    """A batch is one, with its size; what the link answers is unchanged."""
    seen = Operations()
    async with Redis(valkey.url) as redis:
        link = Traced(redis, seen.around)
        assert await link.execute("SET", "secret-key", "secret-value")
        assert await link.execute("GET", "secret-key") == b"secret-value"
        assert await link.pipeline([("GET", "secret-key")] * 3) == [b"secret-value"] * 3
        assert await link.pipeline([("GET", "secret-key")]) == [b"secret-value"]
        assert await link.pipeline([]) == []
        assert await link.script(ECHO, ["secret-key"], ["secret-value"]) == b"secret-value"
        assert (link.up, link.connects, link.traffic) == (True, 1, redis.traffic)
        async with link.reserve("k") as connection:
            assert await connection.execute("PING") == b"PONG"
    assert [(one.name, one.attributes["db.operation.name"]) for one in seen.ended] == [
        ("SET", "SET"),
        ("GET", "GET"),
        ("PIPELINE GET", "PIPELINE GET"),
        ("GET", "GET"),
        ("EVALSHA echo", "EVALSHA"),
    ]
    assert [one.attributes.get("db.operation.batch.size") for one in seen.ended] == [
        None,
        None,
        3,
        None,
        None,
    ]
    assert seen.ended[4].attributes["db.stored_procedure.name"] == "echo"
    assert all(one.kind == "client" and one.error_type is None for one in seen.ended)
    assert "secret" not in repr(seen.ended)


async def test_a_failure_is_on_the_span_without_its_text(valkey: ValkeyServer) -> None:
    """An error reply may quote arguments; its code and the error's class say enough."""
    seen = Operations()
    async with Redis(valkey.url) as redis:
        link = Traced(redis, seen.around)
        with pytest.raises(StoreRefused, match="secret"):
            await link.execute("NOSUCH", "secret")
        await redis.execute("RPUSH", "traced list", "x")
        await link.pipeline([("GET", "traced list"), ("GET", "other")])
    assert seen.raised == []
    assert [one.error_type for one in seen.ended] == ["penstock.engine.errors.StoreRefused"] * 2
    assert [one.attributes["db.response.status_code"] for one in seen.ended] == ["ERR", "WRONGTYPE"]
    assert "secret" not in repr(seen.ended)


async def test_a_call_that_was_tried_again_is_one_span(autojump_clock: MockClock) -> None:
    """And no failure, as far as its caller is concerned; one without an answer is."""
    seen = Operations()
    flapping = of_streams(FakeStream(lambda _: b"-READONLY no\r\n"), FakeStream())
    assert await Traced(flapping, seen.around).execute("ECHO", "x") == b"x"
    readonly = Traced(of_streams(FakeStream(lambda _: b"-READONLY no\r\n")), seen.around)
    with pytest.raises(StoreUnavailable):
        await readonly.execute("ECHO", "x", retry_for=0)
    good, bad = seen.ended
    assert good.error_type is None
    assert bad.error_type == "penstock.engine.errors.StoreUnavailable"
    assert bad.attributes["db.response.status_code"] == "READONLY"


async def test_cancellation_goes_through_the_span(autojump_clock: MockClock) -> None:
    """The span ends, and sees it."""
    seen = Operations()
    link = Traced(of_streams(FakeStream(silence)), seen.around)
    with trio.move_on_after(1) as scope:
        await link.execute("PING")
    assert scope.cancelled_caught
    assert [type(error) for error in seen.raised] == [trio.Cancelled]
    assert len(seen.ended) == 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "redis://u:pw@cache.example:7/3",
            {"server.address": "cache.example", "server.port": 7, "db.namespace": "3"},
        ),
        ("unix:///run/x.sock?db=1", {"server.address": "/run/x.sock", "db.namespace": "1"}),
        ("redis+sentinel://u:pw@a,b/mymaster/2", {"db.namespace": "2"}),
        ("redis+cluster://u:pw@a,b", {"db.namespace": "0"}),
    ],
)
async def test_the_server_is_named_where_it_is_one(url: str, expected: dict[str, object]) -> None:
    """Without a password; of several servers nobody knows which will answer."""
    seen = Operations()
    link = Traced(open_link(url), seen.around)
    await link.aclose()
    with pytest.raises(StoreUnavailable):
        await link.execute("GET", "k", retry_for=0)
    about = dict(seen.ended[0].attributes)
    assert (about.pop("db.system.name"), about.pop("db.operation.name")) == ("redis", "GET")
    assert about == expected


async def test_attributes_are_the_conventions(valkey: ValkeyServer) -> None:
    """Every name that is used is one of theirs."""
    seen = Operations()
    async with Redis(valkey.url) as redis:
        link = Traced(redis, seen.around)
        await link.script(ECHO, ["k"], ["x"])
        await link.pipeline([("NOSUCH",)] * 2)
    used = {name for operation in seen.ended for name in operation.attributes}
    known = {
        value
        for module in (db_attributes, server_attributes, error_attributes)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    assert used <= known
    assert len(used) >= 6
