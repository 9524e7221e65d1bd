"""Which commands a Redis user needs, and which of them the server refuses to ours."""

import re
from collections.abc import Sequence
from typing import Any, Protocol

from penstock.engine import keys, scripts
from penstock.engine.errors import StoreRefused
from penstock.engine.transport import Argument, Reply

# Complete commands, never carried out: the server is asked whether they would be allowed. They have to be
# complete, because Valkey 9 crashes when it looks for the keys of an EVALSHA that has no arguments.
_KEYED = {
    "DEL": "",
    "EXISTS": "",
    "GET": "",
    "HDEL": "field",
    "HEXISTS": "field",
    "HGET": "field",
    "HGETALL": "",
    "HINCRBY": "field 1",
    "HKEYS": "",
    "HLEN": "",
    "HMGET": "field",
    "HSCAN": "0",
    "HSET": "field value",
    "HSETNX": "field value",
    "HVALS": "",
    "LINDEX": "0",
    "LPOP": "1",
    "LPUSH": "value",
    "LRANGE": "0 0",
    "MGET": "",
    "MSET": "value",
    "PEXPIRE": "1",
    "RPUSH": "value",
    "SET": "value",
    "XADD": "* field value",
    "XLEN": "",
    "XREVRANGE": "+ -",
    "ZADD": "0 member",
    "ZCARD": "",
    "ZPOPMIN": "",
    "ZRANGE": "0 0",
    "ZRANGEBYSCORE": "0 0",
    "ZREM": "member",
    "ZREMRANGEBYSCORE": "0 0",
    "ZSCORE": "member",
}
# What relays need beside; workers and clients never send it.
_OF_RELAYS = {
    "XACK": "XACK {key} sink 1-1",
    "XCLAIM": "XCLAIM {key} sink relay 0 1-1",
    "XGROUP": "XGROUP CREATE {key} sink $",
    "XINFO": "XINFO GROUPS {key}",
    "XPENDING": "XPENDING {key} sink",
    "XRANGE": "XRANGE {key} - +",
    "XREADGROUP": "XREADGROUP GROUP sink relay STREAMS {key} >",
    "XTRIM": "XTRIM {key} MINID 1",
}
# Those of which the scripts may do without: INFO tells how full the server is.
OPTIONAL = {"INFO"}

_ASK = """
local refused = {}
for _, command in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(command, '%S+') do words[#words + 1] = word end
  if not redis.acl_check_cmd(unpack(words)) then refused[#refused + 1] = words[1] end
end
return refused
"""


class Server(Protocol):
    """A link, or a connection to one server."""

    async def execute(self, *command: Argument) -> Reply:
        """Send one command and return its reply."""
        ...


def needed_commands(queue: str, *, relay: bool = False) -> dict[str, str]:
    """Every command that workers and clients of `queue` send or let a script run, in a complete form.

    With `relay`, also what relays do.
    """
    key, channel = keys.job(queue, "check"), keys.wake(queue, "check")
    direct = {
        "EVAL": f"EVAL script 2 {key} {keys.QUEUES}",  # refused to who may send it: by its keys, see `remedy`
        "EVALSHA": f"EVALSHA digest 1 {key}",
        "PING": "PING",
        "SADD": f"SADD {keys.QUEUES} {queue}",
        "SMEMBERS": f"SMEMBERS {keys.QUEUES}",
        "SPUBLISH": f"SPUBLISH {channel} word",
        "SSUBSCRIBE": f"SSUBSCRIBE {channel}",
        "TIME": "TIME",
        "XREAD": f"XREAD COUNT 1 STREAMS {key} 0",
    }
    keyed = {name: f"{name} {key} {rest}" for name, rest in _KEYED.items()}
    if relay:
        direct |= {name: form.format(key=keys.outbox(queue)) for name, form in _OF_RELAYS.items()}
    used = script_commands() | set(direct) | {"GET", "XREVRANGE"}
    return {name: form for name, form in sorted({**direct, **keyed}.items()) if name in used}


def script_commands() -> set[str]:
    """The commands that the Lua files name; read from them, so that none is forgotten."""
    words = {
        word for script in scripts.load().values() for word in re.findall(r"'([A-Z]{3,})'", script.source)
    }
    return words & (set(_KEYED) | {"SPUBLISH", "TIME"})


async def refused_commands(server: Server, queues: Sequence[str], *, relay: bool = False) -> list[str]:
    """The needed commands that the server's ACL keeps from this user; see `refused_of`."""
    return await refused_of(
        server, [form for queue in queues for form in needed_commands(queue, relay=relay).values()]
    )


async def refused_of(server: Server, forms: Sequence[str]) -> list[str]:
    """The names of those complete commands that the server's ACL refuses, keys and channels considered.

    Nothing is changed. Empty where the server does not know how to tell (below version 7). Raises
    `StoreUnavailable`.
    """
    try:
        reply: Any = await server.execute("EVAL", _ASK, 0, *forms)
    except StoreRefused as error:
        return ["EVAL"] if str(error).startswith("NOPERM") else []
    return sorted({name.decode() for name in reply})


def remedy(commands: Sequence[str], queues: Sequence[str]) -> str:
    """What to tell whoever keeps the ACL."""
    roots = [keys.root(queue) for queue in queues]
    channels = [f"&{root}*" for root in roots] if {"SPUBLISH", "SSUBSCRIBE"} <= set(commands) else []
    return grant([f"~{keys.QUEUES}", *(f"~{root}*" for root in roots)], commands, channels)


def grant(patterns: Sequence[str], commands: Sequence[str], channels: Sequence[str] = ()) -> str:
    """The command that allows what was refused.

    With the patterns of keys only where those are what is missing, for a server takes none beside `~*`. They
    are if the user may run EVAL, which is how it was asked, and yet not on them.
    """
    places = patterns if "EVAL" in commands and len(commands) > 1 else ()
    words = ["ACL SETUSER <user>", *places, *channels, *(f"+{name.lower()}" for name in commands)]
    return " ".join(words)
