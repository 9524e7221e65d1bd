"""The list of commands that a Redis user needs: complete, because it is read from what uses them."""

import re
from pathlib import Path

import pytest

from penstock.deploy import permissions
from penstock.deploy.permissions import OPTIONAL, needed_commands, refused_commands, remedy
from penstock.engine import scripts
from penstock.engine.transport import Redis
from support.redis_server import ValkeyServer

ENGINE = Path(scripts.__file__).parents[1]
NOT_FOR_EVERYBODY = {
    "CLIENT": "a courtesy, and refused in silence",
    "AUTH": "is the login",
    "SELECT": "is the login",
    "CLUSTER": "of Clusters alone",
    "SENTINEL": "is the Sentinel's, not the server's",
    "ROLE": "where there are Sentinels",
    "SCRIPT": "of durable submissions",
    "WAIT": "of submissions that wait for replicas",
    "WAITAOF": "of durable submissions",
    "SUNSUBSCRIBE": "whoever may subscribe may leave",
    "READONLY": "of Clusters alone",
}


def test_every_command_of_the_scripts_is_asked_for() -> None:
    """A script that uses a new command cannot be added without this list hearing of it."""
    used = {
        name
        for script in scripts.load().values()
        for name in re.findall(r"redis\.p?call\(\s*'([A-Za-z]+)'", script.source)
    }
    assert len(used) > 30
    assert used - set(needed_commands("default", relay=True)) == OPTIONAL
    assert permissions.script_commands() >= {"LPUSH", "RPUSH", "TIME"}  # named in variables and the clock


def test_every_command_of_the_transport_is_asked_for() -> None:
    """What Python sends itself is needed, or known not to be."""
    pattern = r"""(?:execute|pack|_execute)\(\(?\s*"([A-Z]+)\""""
    sent = {name for file in ENGINE.rglob("*.py") for name in re.findall(pattern, file.read_text())}
    assert {"EVALSHA", "EVAL", "PING", "SADD"} <= sent
    assert sent - set(needed_commands("default", relay=True)) - set(NOT_FOR_EVERYBODY) == set()


def test_workers_are_not_asked_for_what_only_relays_do() -> None:
    """A narrow user that ran workers before there were relays goes on doing so; the scripts tell."""
    of_others = [script for name, script in scripts.load().items() if name not in scripts.OF_RELAYS]
    used = {
        name for script in of_others for name in re.findall(r"redis\.p?call\(\s*'([A-Z]+)'", script.source)
    }
    assert used - set(needed_commands("default")) == OPTIONAL
    alone = set(needed_commands("default", relay=True)) - set(needed_commands("default"))
    assert "XREADGROUP" in alone
    assert alone.isdisjoint(used)


async def test_each_command_is_named_when_it_is_refused(valkey: ValkeyServer) -> None:
    """For every single one: a user that lacks it, and the list that names it and nothing else."""
    asked = [name for name in needed_commands("default", relay=True) if name != "EVAL"]
    async with Redis(valkey.tcp_url) as owner:
        for name in asked:
            await owner.execute(
                *("ACL", "SETUSER", name, "on", "nopass", "~penstock:*", "&penstock:*", "+@all"),
                f"-{name.lower()}",
            )
    for name in asked:
        async with Redis(valkey.tcp_url.replace("redis://", f"redis://{name}:x@")) as redis:
            assert await refused_commands(redis, ["default"], relay=True) == [name]


@pytest.mark.parametrize(
    ("rules", "some"),
    [
        (("~other:*", "&*"), {"GET", "HSET", "EVALSHA"}),
        (("~*", "resetchannels"), {"SPUBLISH", "SSUBSCRIBE"}),
        (("~penstock:{mail}:*", "&*"), {"SMEMBERS", "HSET"}),
    ],
)
async def test_keys_and_channels_count(valkey: ValkeyServer, rules: tuple[str, ...], some: set[str]) -> None:
    """A command that is allowed, but not on our keys or channels, is refused as well."""
    async with Redis(valkey.tcp_url) as owner:
        await owner.execute("ACL", "SETUSER", "shop", "on", "nopass", "+@all", *rules)
    async with Redis(valkey.tcp_url.replace("redis://", "redis://shop:x@")) as redis:
        refused = set(await refused_commands(redis, ["default"]))
        await _granted(valkey, remedy(sorted(refused), ["default"]))
        assert await refused_commands(redis, ["default"]) == []

    assert some <= refused
    assert refused.isdisjoint({"PING", "TIME"})


async def test_nothing_is_left_behind(valkey: ValkeyServer) -> None:
    """Asking writes nothing."""
    async with Redis(valkey.tcp_url) as redis:
        assert await refused_commands(redis, ["default"]) == []
        assert await redis.execute("DBSIZE") == 0


async def test_every_queue_counts(valkey: ValkeyServer) -> None:
    """A user who may touch one queue only lacks the other; the remedy names both."""
    async with Redis(valkey.tcp_url) as owner:
        await owner.execute(
            *("ACL", "SETUSER", "shop", "on", "nopass", "+@all", "~penstock:queues"),
            *("~penstock:{mail}:*", "&penstock:{mail}:*"),
        )
    async with Redis(valkey.tcp_url.replace("redis://", "redis://shop:x@")) as redis:
        assert await refused_commands(redis, ["mail"]) == []
        assert "HSET" in await refused_commands(redis, ["mail", "media"])

    assert remedy(["EVAL", "HSET", "SPUBLISH", "SSUBSCRIBE"], ["mail", "media"]) == (
        "ACL SETUSER <user> ~penstock:queues ~penstock:{mail}:* ~penstock:{media}:* "
        "&penstock:{mail}:* &penstock:{media}:* +eval +hset +spublish +ssubscribe"
    )


async def test_the_remedy_adds_no_pattern_where_all_keys_are_allowed(valkey: ValkeyServer) -> None:
    """A server refuses that, and with it the commands."""
    async with Redis(valkey.tcp_url) as owner:
        await owner.execute("ACL", "SETUSER", "shop", "on", "nopass", "+@all", "~*", "&*", "-hset", "-sadd")
    async with Redis(valkey.tcp_url.replace("redis://", "redis://shop:x@")) as redis:
        refused = await refused_commands(redis, ["mail"])
        assert remedy(refused, ["mail"]) == "ACL SETUSER <user> +hset +sadd"
        await _granted(valkey, remedy(refused, ["mail"]))
        assert await refused_commands(redis, ["mail"]) == []


async def _granted(server: ValkeyServer, command: str) -> None:
    async with Redis(server.tcp_url) as owner:
        await owner.execute(*command.replace("<user>", "shop").split())
