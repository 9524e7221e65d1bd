"""The server's side of the broker: one Lua file per atomic step, each with its contract above it.

A script as sent is: flags, the clock, `prologue.lua`, for those of relays `outbox.lua`, for those of
schedules `schedules.lua`, for `fire` also `submit.lua` as a function, the file, and for some another file
that they end with. Scripts are addressed by content (EVALSHA), so processes of different versions work side
by side.
"""

from importlib.resources import files

from penstock.engine.transport import Script

SERVER_CLOCK = "local time = redis.call('TIME') local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"
TEST_CLOCK = "local now = tonumber(redis.call('GET', 'penstock:clock'))\n"
"""Tests set the key instead of waiting."""

_NAMES = (
    "acknowledge",
    "attend",
    "backlog",
    "cancel",
    "claim",
    "enlist",
    "facts",
    "fire",
    "heartbeat",
    "join",
    "leave",
    "look",
    "memory",
    "nudge",
    "promote",
    "reap",
    "release",
    "report",
    "resign",
    "retire",
    "return_claim",
    "set_aside",
    "settle",
    "steer",
    "submit",
    "take",
    "withdraw",
)
OF_RELAYS = frozenset({"acknowledge", "backlog", "enlist", "retire", "set_aside", "take", "withdraw"})
"""What only relays, and operators who ask about them, have to be allowed to do; each behind `outbox.lua`."""
OF_SCHEDULES = frozenset({"attend", "fire", "steer"})
"""Each behind `schedules.lua`."""
_GOES_ON_AS = {"report": "facts"}
# All but what stores jobs may run when Redis is at its memory limit: it frees memory or keeps work alive.
_FLAGS = dict.fromkeys(_NAMES, "#!lua flags=allow-oom\n") | dict.fromkeys(("fire", "submit"), "#!lua\n")


def load(clock: str = SERVER_CLOCK) -> dict[str, Script]:
    """Read the scripts, by name, each behind the given clock."""
    prologue = _read("prologue")
    return {name: Script(name, _FLAGS[name] + clock + prologue + _body(name)) for name in _NAMES}


def _body(name: str) -> str:
    before = _read("outbox") if name in OF_RELAYS else ""
    if name in OF_SCHEDULES:
        before = _read("schedules")
    if name == "fire":
        before += f"local function submit(ARGV)\n{_read('submit')}end\n"
    return before + _read(name) + (_read(_GOES_ON_AS[name]) if name in _GOES_ON_AS else "")


def _read(name: str) -> str:
    return (files(__name__) / f"{name}.lua").read_text()
