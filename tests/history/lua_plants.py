"""Faults planted in the scripts: each an edit of a real one, as small as the fault needs.

What an edit replaces must stand in the script exactly once, so that no plant outlives the line it was for.
"""

import msgspec

from penstock.engine.redis_store import RedisStore
from penstock.engine.store import Store
from penstock.engine.transport import Script


class LuaPlant(msgspec.Struct, frozen=True):
    """In `script`, each text is replaced by another; `breaks` is the rule that must tell."""

    name: str
    breaks: str
    script: str
    edits: dict[str, str]

    def into(self, store: Store) -> None:
        """Plant the fault in one store."""
        assert isinstance(store, RedisStore)
        source = store._scripts[self.script].source
        for old, new in self.edits.items():
            assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {self.script}.lua"
            source = source.replace(old, new)
        store._scripts = store._scripts | {self.script: Script(self.script, source)}

    def __str__(self) -> str:
        return self.name


HELD = "redis.call('HSET', running, unpack(holds))"
POPPED = "for _, job in ipairs(got) do popped[#popped + 1] = job end"
NEW_TOKENS = "redis.call('HINCRBY', COUNTS, 'token', #ids) - #ids"
STILL_READY = "if record and string.find(record, '^%d+ ready ') then"
STAYS_IN_LINE = f"""{POPPED}
    if number == '1' and got[1] then redis.call('RPUSH', lane_key(lane), got[1]) end"""
TOKEN_FITS = "held[n] and string.match(held[n], '^%d+') == token"
WRITTEN = "redis.call('SET', job_key(job), text, 'PX', tonumber(keep) > 0 and keep or 1)"
NEW_WORDS = "h.token, h.state, h.attempt = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]"

PLANTS = [
    LuaPlant(
        "a claim forgets the last of several jobs",
        "nothing lost",
        "claim",
        {HELD: f"if #ids > 1 then holds[#holds], holds[#holds - 1] = nil, nil end {HELD}"},
    ),
    LuaPlant("tokens are not compared", "settled by the holder", "settle", {TOKEN_FITS: "held[n]"}),
    LuaPlant(
        "a revoked worker may settle",
        "settled after revocation",
        "settle",
        {"if redis.call('ZSCORE', REVOKED, worker) then held = {} end": ""},
    ),
    LuaPlant(
        "anybody may settle",
        "ends once",
        "settle",
        {f"elseif record and {TOKEN_FITS} and": "elseif record and"},
    ),
    LuaPlant("a claimed job stays in its line", "one holder", "claim", {POPPED: STAYS_IN_LINE}),
    LuaPlant(
        "an ended job is given out",
        "nothing after the end",
        "claim",
        {POPPED: STAYS_IN_LINE, STILL_READY: "if record then"},
    ),
    LuaPlant(
        "a cancelled job is given out", "nothing after the end", "claim", {STILL_READY: "if record then"}
    ),
    LuaPlant(
        "lanes are taken from behind",
        "first claims in order",
        "claim",
        {"redis.call('LPOP', lane_key(lane), asked)": "redis.call('RPOP', lane_key(lane), asked)"},
    ),
    LuaPlant("the same tokens are given to every claim", "a token once", "claim", {NEW_TOKENS: "0"}),
    LuaPlant(
        "tokens become smaller",
        "tokens grow",
        "claim",
        {NEW_TOKENS: "1000 + redis.call('HINCRBY', COUNTS, 'token', -#ids)"},
    ),
    LuaPlant(
        "a submission sent again is stored again",
        "one holder",
        "submit",
        {"record = record or seen[job]": "record = seen[job]"},
    ),
    LuaPlant(
        "the reaper takes jobs from workers that live",
        "one holder",
        "reap",
        {"ipairs(redis.call('ZRANGE', REVOKED, 0, -1))": "ipairs(redis.call('ZRANGE', WORKERS, 0, -1))"},
    ),
    LuaPlant("the reaper counts no crash", "crashes", "reap", {"h.crashes = tostring(h.crashes + 1)": ""}),
    LuaPlant("what is released is dropped", "nothing lost", "release", {"line_up('LPUSH', jobs[i], h)": ""}),
    LuaPlant(
        "what is due is put into its line twice",
        "one holder",
        "promote",
        {"line_up('RPUSH', due[i], h)": "line_up('RPUSH', due[i], h) line_up('RPUSH', due[i], h)"},
    ),
    LuaPlant(
        "a retry is not counted",
        "attempts",
        "settle",
        {NEW_WORDS: "h.token, h.state = ARGV[i + 1], ARGV[i + 2]"},
    ),
    LuaPlant(
        "who leaves keeps what it held",
        "nothing lost",
        "leave",
        {"return give_back(worker, back)": "return back"},
    ),
    LuaPlant(
        "an ending is not written",
        "nothing lost",
        "settle",
        {WRITTEN: ""},
    ),
]


def by_name(name: str) -> LuaPlant:
    """The plant of that name."""
    (plant,) = (plant for plant in PLANTS if plant.name == name)
    return plant
