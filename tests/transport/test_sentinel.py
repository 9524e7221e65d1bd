"""How the master is found; real Sentinels are in tests/topologies."""

from collections.abc import Callable

import pytest
import trio

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.transport import Redis, SentinelAddress
from transport.fake_nodes import FakeNode, fake_nodes
from transport.fake_stream import Answer, array, bulk

NO_SENTINEL = b"-ERR unknown command 'SENTINEL'\r\n"


def link_by(*sentinels: FakeNode, options: str = "") -> Redis:
    hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in sentinels)
    return Redis(SentinelAddress.parse(f"redis+sentinel://:theirs@{hosts}/jobs?{options}"))


def naming(master: Callable[[], FakeNode]) -> Answer:
    """A Sentinel that names whatever is the master in its eyes."""
    return lambda _: array(bulk(b"127.0.0.1"), bulk(b"%d" % master().port))


def server(role: bytes = b"master") -> Answer:
    """A master or replica that answers with its role, or with the last word of a command."""

    def answer(command: list[bytes]) -> bytes:
        if command == [b"ROLE"]:
            return array(bulk(role), b":0\r\n")
        if role != b"master":
            return b"-READONLY You can't write against a read only replica.\r\n"
        return bulk(command[-1])

    return answer


async def test_sentinels_are_asked_in_turn_and_the_one_that_answers_first_next_time() -> None:
    """Those that are gone or know nothing are passed over, and are not asked again while another answers."""
    async with fake_nodes(4) as (gone, ignorant, knowing, master):
        gone.kill()
        ignorant.answer = lambda command: b"*-1\r\n" if command[1].startswith(b"GET") else array()
        knowing.answer, master.answer = naming(lambda: master), server()
        async with link_by(gone, ignorant, knowing) as link:
            assert await link.execute("ECHO", "x") == b"x"
            async with link.reserve("k") as connection:
                assert await connection.execute("ECHO", "y") == b"y"
        assert ignorant.count(b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME") == 1
        assert knowing.count(b"SENTINEL") == 2


async def test_a_sentinel_that_says_nothing_costs_a_second() -> None:
    """Less than a call's patience, so that the next one is asked in time."""
    async with fake_nodes(3) as (silent, knowing, master):
        silent.answer = lambda _: b""
        knowing.answer, master.answer = naming(lambda: master), server()
        async with link_by(silent, knowing) as link:
            assert await link.execute("ECHO", "x") == b"x"


async def test_an_old_answer_is_not_believed() -> None:
    """A Sentinel that missed the failover names what is a replica now, by its own word; another is asked."""
    async with fake_nodes(4) as (late, current, old, new):
        late.answer, current.answer = naming(lambda: old), naming(lambda: new)
        old.answer, new.answer = server(b"slave"), server()
        async with link_by(late, current) as link:
            assert await link.execute("ECHO", "x") == b"x"
        async with link_by(late) as link:
            with pytest.raises(StoreUnavailable, match=r"named as the master and says that it is .*slave"):
                await link.execute("ECHO", "x", retry_for=0)


async def test_what_two_sentinels_name_is_tried_once() -> None:
    """A dead master that all of them still name is not dialled by each one's word."""
    async with fake_nodes(3) as (one, two, master):
        one.answer = two.answer = naming(lambda: master)
        master.answer = server(b"slave")
        async with link_by(one, two) as link:
            with pytest.raises(StoreUnavailable):
                await link.execute("ECHO", "x", retry_for=0)
        assert master.count(b"ROLE") == 1
        assert one.count(b"SENTINEL") == two.count(b"SENTINEL") == 1


async def test_read_only_means_asking_again() -> None:
    """A master that became a replica is left for the one that is named now, by commands and subscriptions."""
    async with fake_nodes(3) as (sentinel, old, new):
        masters = [old]
        sentinel.answer = naming(lambda: masters[-1])
        old.answer, new.answer = server(), server(b"slave")
        async with link_by(sentinel) as link:
            assert await link.execute("ECHO", "x") == b"x"
            old.answer, new.answer = server(b"slave"), server()
            masters.append(new)
            assert await link.execute("ECHO", "y") == b"y"
            async with link.reserve("k") as connection:
                assert await connection.execute("ECHO", "z") == b"z"
            assert link.connects == 2
        assert new.count(b"ECHO") == 2


async def test_an_unknown_name_is_refused_and_the_known_ones_are_told() -> None:
    """It is a mistake in the URL: not tried again."""
    async with fake_nodes(1) as [sentinel]:
        masters = [array(bulk(b"name"), bulk(name), bulk(b"port"), bulk(b"1")) for name in (b"cache", b"web")]
        sentinel.answer = lambda command: array(*masters) if command[1] == b"MASTERS" else b"*-1\r\n"
        async with link_by(sentinel) as link:
            with pytest.raises(StoreRefused, match="knows no master 'jobs'; it knows cache, web"):
                await link.execute("PING", retry_for=60)


async def test_a_server_that_is_no_sentinel_is_refused() -> None:
    """The error names it and says what to write instead; one that is gone beside it does not hide that."""
    async with fake_nodes(2) as (gone, server):
        gone.kill()
        server.answer = lambda _: NO_SENTINEL
        async with link_by(gone, server) as link:
            with pytest.raises(StoreRefused, match=rf"127\.0\.0\.1:{server.port}.* not answer as a Sentinel"):
                await link.execute("PING", retry_for=60)


async def test_no_sentinel_at_all_is_an_outage() -> None:
    """It may pass: tried again, then told with every reason."""
    async with fake_nodes(2) as (one, two):
        one.kill()
        two.kill()
        async with link_by(one, two) as link:
            with pytest.raises(StoreUnavailable, match=r"No Sentinel of .* leads to a master") as caught:
                await link.execute("PING", retry_for=0)
        assert str(one.port) in str(caught.value)
        assert str(two.port) in str(caught.value)
        assert "theirs" not in str(caught.value)


async def test_a_login_that_the_master_rejects_is_refused_at_once() -> None:
    """Asking more Sentinels does not cure a wrong password."""
    async with fake_nodes(2) as (sentinel, master):
        sentinel.answer = naming(lambda: master)
        master.answer, master.login = server(), b"-WRONGPASS invalid username-password pair\r\n"
        async with link_by(sentinel) as link:
            with pytest.raises(StoreRefused, match="WRONGPASS"):
                await link.execute("PING", retry_for=60)


async def test_each_gets_the_password_that_is_meant_for_it() -> None:
    """Sentinels never hear the master's."""
    async with fake_nodes(3) as (plain, guarded, master):
        plain.answer = guarded.answer = naming(lambda: master)
        master.answer = server()
        async with link_by(plain) as link:
            await link.execute("PING")
        async with link_by(guarded, options="sentinel_username=watch&sentinel_password=mine") as link:
            await link.execute("PING")
        assert [words for words in plain.greetings if words[0] == b"AUTH"] == []
        assert [words for words in guarded.greetings if words[0] == b"AUTH"] == [[b"AUTH", b"watch", b"mine"]]
        assert {words[1] for words in master.greetings if words[0] == b"AUTH"} == {b"theirs"}


async def test_a_search_is_bounded_by_the_callers_patience() -> None:
    """However many Sentinels stall, a call ends when it said it would."""
    async with fake_nodes(5) as sentinels:
        for sentinel in sentinels:
            sentinel.answer = lambda _: b""
        async with link_by(*sentinels) as link:
            with trio.fail_after(2.5), pytest.raises(StoreUnavailable):
                await link.execute("PING", retry_for=1.5)
