"""One queue as each store keeps it, written down alike: whatever differs is a difference of the stores."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from penstock.engine.job import JobState
from penstock.engine.memory_store.state import QueueState
from penstock.engine.periodic_store import Standing, standings
from penstock.engine.record import parse_record
from penstock.engine.transport import Redis

Lane = str  # `priority:tenant`, or `suspects`


class View(msgspec.Struct, kw_only=True):
    """Everything that is known of a queue, but for stale entries of cancelled jobs in their lines."""

    records: dict[str, bytes]
    lines: dict[Lane, list[str]]
    scheduled: dict[str, int]
    running: dict[str, tuple[str, int, int, int]]
    """Job → worker, token, number of the claim, since when."""
    leases: dict[str, int]
    revoked: dict[str, int]
    numbers: dict[str, int]
    slots: dict[str, int]
    reporter: dict[str, int]
    schedules: dict[str, Standing]
    idle: list[tuple[str, bool]]
    """Workers that wait to be woken, longest first; whether they take a job with the wake-up."""
    cancels: set[str]
    unique: dict[str, str]
    dead: set[str]
    ready: int
    token: int

    def differences(self, other: "View") -> dict[str, tuple[Any, Any]]:
        """Field by field, this one's and the other's where they differ."""
        mine, others = msgspec.structs.asdict(self), msgspec.structs.asdict(other)
        return {name: (mine[name], others[name]) for name in mine if mine[name] != others[name]}

    def states(self) -> dict[str, JobState]:
        """The state that a reader sees of each job."""
        return {
            suffix: JobState.RUNNING if suffix in self.running else parse_record(record).header.state
            for suffix, record in self.records.items()
        }

    def places(self) -> Counter[str]:
        """How often each job stands somewhere."""
        waiting = [suffix for line in self.lines.values() for suffix in line]
        return Counter([*waiting, *self.scheduled, *self.running])


# --- the store in memory ------------------------------------------------------------------------


def memory_view(queue: QueueState) -> View:
    """The specification's view."""
    jobs, ready = queue.jobs, queue.ready
    lines: dict[Lane, Iterable[tuple[int, str]]] = {"suspects": ready._suspects}
    for priority, rotation in ready._rotations.items():
        lines |= {f"{priority}:{tenant}": line for tenant, line in rotation.items()}
    standing = {
        lane: [suffix for number, suffix in line if ready._numbers.get(suffix) == number]
        for lane, line in lines.items()
    }
    return View(
        records={suffix: record.encode() for suffix, record in jobs._records.items()},
        lines={lane: line for lane, line in standing.items() if line},
        scheduled=dict(queue.scheduled._due),
        running={
            suffix: (hold.worker, hold.token, hold.number, hold.since)
            for suffix, hold in queue.running.items()
        },
        leases=dict(queue.leases),
        revoked=dict(queue.revoked),
        numbers={worker: queue.numbers.get(worker, 0) for worker in queue.leases},
        slots=dict(queue.slots),
        reporter=dict(queue.reporter),
        schedules=dict(queue.schedules),
        idle=list(queue.idle.items()),
        cancels=set(queue.cancels),
        unique={f"{tenant} {key}": suffix for (tenant, key), suffix in jobs._by_key.items()},
        dead=set(jobs._dead),
        ready=len(ready),
        token=queue._last_token,
    )


# --- the store on Redis -------------------------------------------------------------------------

_DUMP = """#!lua flags=no-writes
local found, read = {}, {
  string = function(key) return redis.call('GET', key) end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  hash = function(key) return redis.call('HGETALL', key) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local kind = redis.call('TYPE', key).ok
  if read[kind] then found[#found + 1] = { key, kind, read[kind](key) } end
end
return found"""


class Keys(msgspec.Struct):
    """The keys of one queue, by the names behind its root."""

    strings: dict[str, bytes] = {}
    lists: dict[str, list[str]] = {}
    hashes: dict[str, dict[str, str]] = {}
    zsets: dict[str, dict[str, int]] = {}
    """In the order of their scores."""
    idle: list[tuple[str, bool]] = []
    """The zset of that name, by whose scores half a millisecond says something."""


async def redis_keys(redis: Redis, queue: str) -> Keys:
    """All keys of a queue in one look."""
    root = f"penstock:{{{queue}}}:"
    dump: Any = await redis.execute("EVAL", _DUMP, 0, root.replace("{", "[{]") + "*")
    keys = Keys()
    for raw, kind, value in dump:
        name = raw.decode().removeprefix(root)
        if kind == b"string":
            keys.strings[name] = value
            continue
        words = [word.decode() for word in value]
        if kind == b"list":
            keys.lists[name] = words
        elif kind == b"hash":
            keys.hashes[name] = dict(zip(words[::2], words[1::2], strict=True))
        else:
            scores = {word: float(score) for word, score in zip(words[::2], words[1::2], strict=True)}
            keys.zsets[name] = {word: int(score) for word, score in scores.items()}
            if name == "idle":
                keys.idle = [(word, score % 1 > 0) for word, score in scores.items()]
    return keys


def redis_view(keys: Keys) -> View:
    """The scripts' view."""
    records = {
        name.removeprefix("job:"): raw for name, raw in keys.strings.items() if name.startswith("job:")
    }
    running: dict[str, tuple[str, int, int, int]] = {}
    for name, held in keys.hashes.items():
        if name.startswith("running:"):
            for suffix, words in held.items():
                token, number, since = map(int, words.split())
                assert suffix not in running, f"{suffix} is held twice"
                running[suffix] = name.removeprefix("running:"), token, number, since
    counts = keys.hashes.get("counts", {})
    reporter, _, until = keys.strings.get("reporter", b"").decode().partition(" ")
    standing = {
        name.removeprefix("ready:"): [suffix for suffix in line if _is_ready(records.get(suffix))]
        for name, line in keys.lists.items()
    }
    return View(
        records=records,
        lines={lane: line for lane, line in standing.items() if line},
        scheduled=keys.zsets.get("scheduled", {}),
        running=running,
        leases=keys.zsets.get("workers", {}),
        revoked=keys.zsets.get("revoked", {}),
        numbers={worker: int(number) for worker, number in keys.hashes.get("claims", {}).items()},
        slots={worker: int(count) for worker, count in keys.hashes.get("slots", {}).items()},
        reporter={reporter: int(until)} if reporter else {},
        schedules=standings({n: text.encode() for n, text in keys.hashes.get("schedules", {}).items()}),
        idle=keys.idle,
        cancels=set(keys.hashes.get("cancels", {})),
        unique=keys.hashes.get("unique", {}),
        dead=set(keys.zsets.get("dead", {})),
        ready=int(counts.get("ready", 0)),
        token=int(counts.get("token", 0)),
    )


def _is_ready(record: bytes | None) -> bool:
    return record is not None and record.split(b" ", 2)[1] == b"ready"


def check_keys(keys: Keys, view: View) -> None:
    """What holds among the keys by themselves."""
    lanes = {name.removeprefix("ready:") for name in keys.lists if name.startswith("ready:")}
    assert lanes <= keys.zsets.get("lanes", {}).keys(), "a lane that has jobs is not in the rotation"
    assert view.ready == sum(map(len, view.lines.values())), "`ready` is not what stands in the lines"
    locks = {suffix: field for field, suffix in view.unique.items()}
    assert keys.hashes.get("locks", {}) == locks, "locks and unique keys differ"
