"""`penstock check` about what relays, the event bus and the cache need: all of it, and no more."""

import re
from pathlib import Path

import pytest
import trio

from penstock.deploy import part_permissions
from penstock.deploy.findings import Finding
from penstock.deploy.part_permissions import examine_parts
from penstock.engine.bus import RedisAside, RedisBus, event_of, redis_scripts
from penstock.engine.cache import scripts as cache_scripts
from penstock.engine.transport import Redis
from support.processes import Start
from support.redis_server import ValkeyServer

TOPIC = "orders.paid"
FORMS = {"bus": part_permissions._ON_A_TOPIC, "cache": part_permissions._ON_AN_ENTRY}
SOURCES = {
    "bus": [file for file in Path(redis_scripts.__file__).parent.glob("*.py") if "kafka" not in file.name],
    "cache": list(Path(cache_scripts.__file__).parent.glob("*.py")),
}


async def user(server: ValkeyServer, *rules: str) -> str:
    """The address for a user that may do what the rules say, and nothing else."""
    async with Redis(server.tcp_url) as owner:
        await owner.execute("ACL", "SETUSER", "shop", "reset", "on", ">sesame", *rules)
    return server.tcp_url.replace("redis://", "redis://shop:sesame@")


async def rows(url: str, *topics: str, bus_here: bool = True) -> dict[str, Finding]:
    """By subject, for one queue."""
    async with Redis(url) as link:
        found = await examine_parts(link, ["default"], topics, bus_here=bus_here)
    return {row.subject: row for row in found}


def granted(row: Finding) -> list[str]:
    """The rules that its remedy gives."""
    return row.detail.partition("ACL SETUSER <user> ")[2].split()


@pytest.mark.parametrize("part", ["bus", "cache"])
def test_every_command_that_a_part_sends_is_asked_for(part: str) -> None:
    """Read from its scripts and its Python: none can be added without this list hearing of it."""
    text = "\n".join(file.read_text() for file in SOURCES[part])
    used = set(re.findall(r"redis\.p?call\(\s*'([A-Z]+)'", text))
    used |= set(re.findall(r"""(?:execute\(\s*\*?\(?|[\[(]\()"([A-Z]+)\"""", text))
    asked = {name.partition(" ")[0] for name in FORMS[part]}
    assert len(used) >= 5
    assert used - {"TIME"} == asked - {"EVAL", "EVALSHA"}  # TIME is asked for with the workers' commands


@pytest.mark.parametrize(("part", "subject"), [("bus", "event bus"), ("cache", "cache")])
async def test_each_command_of_a_part_is_named_when_it_is_refused(
    valkey: ValkeyServer, part: str, subject: str
) -> None:
    """That command and no other; the remedy ends it."""
    for name in FORMS[part]:
        word, _, sub = name.partition(" ")
        command = word if not sub else f"{word}|{sub}"
        if word in ("EVAL", "EVALSHA"):
            continue  # without which nothing can be asked, or everything lacks it
        row = (await rows(await user(valkey, "~*", "&*", "+@all", f"-{command.lower()}"), TOPIC))[subject]
        assert row.verdict != "ok"
        assert f"this user may not run {word}: " in row.detail
        assert granted(row) == [f"+{word.lower()}"]
        allowed = await rows(await user(valkey, "~*", "+@all", f"-{command.lower()}", *granted(row)), TOPIC)
        assert allowed[subject].verdict == "ok"


async def test_who_has_what_the_remedy_grants_can_use_the_bus(valkey: ValkeyServer) -> None:
    """Publishing, receiving, committing, setting aside, leaving: with those rules alone."""
    missing = (await rows(await user(valkey, "+eval"), TOPIC))["event bus"]
    assert missing.verdict == "failed"
    url = await user(valkey, *granted(missing), "+time")
    async with Redis(url) as link:
        bus = RedisBus(link)
        with trio.fail_after(30):
            async with bus.subscribe("shipping", [TOPIC]) as member:
                await bus.publish([event_of(TOPIC, {"order": 7})])
                received = await member.receive()
                assert len(received) == 1
                assert await member.lag() == {TOPIC: 1}
                await member.commit(received)
            assert await RedisAside(link).look(TOPIC) == []


async def test_what_nothing_fails_without_is_a_warning(valkey: ValkeyServer) -> None:
    """Relays may have a user of their own, the cache fails nobody, and without handlers nobody listens."""
    url = await user(valkey, "~penstock:queues", "~penstock:{default}:*", "&*", "+@all", "-xgroup")
    plain = await rows(url)
    assert {subject: row.verdict for subject, row in plain.items()} == dict.fromkeys(
        ("relays", "event bus", "cache"), "warning"
    )
    assert "may not run XGROUP" in plain["relays"].detail
    assert granted(plain["relays"]) == ["+xgroup"]
    assert granted(plain["event bus"])[0] == "~penstock:{topic.*"
    assert (await rows(url, TOPIC))["event bus"].verdict == "failed"


async def test_where_the_bus_is_kafka_only_the_place_for_what_is_set_aside_counts(
    valkey: ValkeyServer,
) -> None:
    """Which is here in any case, and needed where there are handlers."""
    url = await user(valkey, "~*", "&*", "+@all", "-xreadgroup", "-xadd")
    assert (await rows(url, bus_here=False))["event bus"].verdict == "ok"
    row = (await rows(url, TOPIC, bus_here=False))["event bus"]
    assert row.verdict == "warning"
    assert "this user may not run XADD: events that handlers cannot take are not kept" in row.detail
    assert granted(row) == ["+xadd"]
    elsewhere = (await rows(await user(valkey, "~other:*", "+@all"), TOPIC, bus_here=False))["event bus"]
    assert granted(elsewhere) == ["~penstock:{topic.orders.paid}:*", "+eval", "+xadd", "+xrange"]


async def test_nothing_is_left_behind_by_asking(valkey: ValkeyServer) -> None:
    """Asking writes nothing."""
    assert {row.verdict for row in (await rows(valkey.tcp_url, TOPIC)).values()} == {"ok"}
    async with Redis(valkey.tcp_url) as redis:
        assert await redis.execute("DBSIZE") == 0


async def test_the_applications_topics_are_those_that_are_asked_about(
    start: Start, valkey: ValkeyServer
) -> None:
    """`penstock check APP` fails where its handlers would get no events."""
    rules = ("~penstock:queues", "~penstock:{*}:*", "~penstock:cache:*", "&*", "+@all", "-xclaim")
    url = await user(valkey, *rules)
    process = start("check", "dashboards.application:shop", "--redis", url)
    assert await trio.to_thread.run_sync(process.wait) == 1
    table = " ".join("\n".join(process.out).split())
    assert "XCLAIM: handlers of events get none" in table
    assert process.err == ["penstock: 1 of 11 checks failed: event bus"]
