"""The server's side of the broker: one Lua file per atomic step, each with its contract above it.

A script as sent is: flags, the clock, those of the definitions in `prologue.lua` that it uses, for those of
relays `outbox.lua`, for those of schedules `schedules.lua`, for `fire` also `submit.lua` as a function, the
file, and for some another file that they end with. Scripts are addressed by content (EVALSHA), so processes
of different versions work side by side.
"""

import re
from importlib.resources import files
from typing import NamedTuple

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
    "submit_one",
    "take",
    "withdraw",
)
OF_RELAYS = frozenset({"acknowledge", "backlog", "enlist", "retire", "set_aside", "take", "withdraw"})
"""What only relays, and operators who ask about them, have to be allowed to do; each behind `outbox.lua`."""
OF_SCHEDULES = frozenset({"attend", "fire", "steer"})
"""Each behind `schedules.lua`."""
_GOES_ON_AS = {"report": "facts"}
_START = r"^(?:--.*\n)*local "
_DEFINITION = re.compile(rf"(?m){_START}(?:.*\n)(?:(?!{_START}).*\n)*")
_NAME = re.compile(r"(?m)^local (?:function )?(\w+)")
_COMMENT = re.compile(r"--.*")
_WORD = re.compile(r"(?<!\w\.)\b\w+")  # but for names of fields
_STORE_JOBS = ("fire", "submit", "submit_one")
# All but what stores jobs may run when Redis is at its memory limit: it frees memory or keeps work alive.
_FLAGS = dict.fromkeys(_NAMES, "#!lua flags=allow-oom\n") | dict.fromkeys(_STORE_JOBS, "#!lua\n")


class _Definition(NamedTuple):
    """Something that `prologue.lua` defines; `words` are all that stand in it."""

    name: str
    text: str
    words: set[str]


def load(clock: str = SERVER_CLOCK) -> dict[str, Script]:
    """Read the scripts, by name, each behind the given clock."""
    prologue = _definitions(_read("prologue"))
    return {
        name: Script(name, _FLAGS[name] + clock + _what_it_uses(prologue, _body(name))) for name in _NAMES
    }


def _definitions(prologue: str) -> list[_Definition]:
    """Take a file of nothing but `local` definitions apart, each with the comments above it."""
    texts: list[str] = _DEFINITION.findall(prologue)
    return [_Definition(_NAME.findall(text)[0], text, _words(text)) for text in texts]


def _what_it_uses(prologue: list[_Definition], body: str) -> str:
    """Put before a script the definitions that it names, and those that they name.

    The server makes them anew at every call: all of them together take it twice as long as an empty call.
    """
    used: list[str] = []
    words = _words(body)
    for definition in reversed(prologue):  # each stands behind all that it names
        if definition.name in words:
            words |= definition.words
            used.append(definition.text)
    return "".join(reversed(used)) + body


def _words(lua: str) -> set[str]:
    return set(_WORD.findall(_COMMENT.sub("", lua)))


def _body(name: str) -> str:
    before = _read("outbox") if name in OF_RELAYS else ""
    if name in OF_SCHEDULES:
        before = _read("schedules")
    if name == "fire":
        before += f"local function submit(ARGV)\n{_read('submit')}end\n"
    return before + _read(name) + (_read(_GOES_ON_AS[name]) if name in _GOES_ON_AS else "")


def _read(name: str) -> str:
    return (files(__name__) / f"{name}.lua").read_text()
