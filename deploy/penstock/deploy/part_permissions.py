"""Which Redis commands relays, the event bus and the cache need beside those of workers and clients."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from penstock.deploy.findings import Finding
from penstock.deploy.permissions import Server, grant, needed_commands, refused_of
from penstock.engine import keys

# Complete, as those in permissions.py; a command that has several has a form for each that is used.
_ON_A_TOPIC = {
    "EVAL": "EVAL script 1 {key}",
    "EVALSHA": "EVALSHA digest 1 {key}",
    "PEXPIRE": "PEXPIRE {key} 1",
    "XACK": "XACK {key} group 1-1",
    "XADD": "XADD {key} * field value",
    "XCLAIM": "XCLAIM {key} group member 0 1-1",
    "XGROUP CREATE": "XGROUP CREATE {key} group $",
    "XGROUP DELCONSUMER": "XGROUP DELCONSUMER {key} group member",
    "XINFO CONSUMERS": "XINFO CONSUMERS {key} group",
    "XINFO GROUPS": "XINFO GROUPS {key}",
    "XLEN": "XLEN {key}",
    "XPENDING": "XPENDING {key} group",
    "XRANGE": "XRANGE {key} - +",
    "XREAD": "XREAD COUNT 1 STREAMS {key} 0",
    "XREADGROUP": "XREADGROUP GROUP group member STREAMS {key} >",
    "XTRIM": "XTRIM {key} MINID 1",
    "ZADD": "ZADD {key} 0 member",
    "ZREMRANGEBYRANK": "ZREMRANGEBYRANK {key} 0 -1",
    "ZREMRANGEBYSCORE": "ZREMRANGEBYSCORE {key} 0 0",
}
_OF_WHAT_IS_SET_ASIDE = {name: _ON_A_TOPIC[name] for name in ("EVAL", "XADD", "XRANGE")}
_ON_AN_ENTRY = {
    "DEL": "DEL {key}",
    "EVAL": "EVAL script 1 {key}",
    "EVALSHA": "EVALSHA digest 1 {key}",
    "GET": "GET {key}",
    "PEXPIRE": "PEXPIRE {key} 1",
    "SET": "SET {key} value",
    "UNLINK": "UNLINK {key}",
}
_NO_EVENTS = "check"
"""The topic that is asked about where no module handles any: some job may publish."""


class Part(NamedTuple):
    """What one part needs."""

    subject: str
    forms: Sequence[str]
    patterns: Sequence[str]
    """Of keys, as an ACL has them."""
    verdict: Literal["warning", "failed"]
    """Without them."""
    without: str


async def examine_parts(
    server: Server, queues: Sequence[str], topics: Iterable[str], *, bus_here: bool
) -> list[Finding]:
    """A row for each part; `topics` are those that modules handle, `bus_here` whether this server is the bus.

    What only relays need is a warning, because they may have a user of their own; so is what nothing fails
    without. Raises `StoreUnavailable`.
    """
    rows: list[Finding] = []
    for part in (_relays(queues), _bus(sorted(topics), bus_here), _cache()):
        refused = await refused_of(server, part.forms)
        if not refused:
            rows.append(Finding(part.subject, "ok", "every command that is needed"))
            continue
        how = grant(part.patterns, refused)
        why = f"this user may not run {', '.join(refused)}: {part.without}; {how}"
        rows.append(Finding(part.subject, part.verdict, why))
    return rows


def _relays(queues: Sequence[str]) -> Part:
    forms = list[str]()
    for queue in queues:
        others = needed_commands(queue)
        forms += [form for name, form in needed_commands(queue, relay=True).items() if name not in others]
    # Without patterns: those of the queues are the workers' too, and told with their commands.
    return Part("relays", forms, (), "warning", "a relay needs them, workers do not")


def _bus(topics: Sequence[str], here: bool) -> Part:
    aside = [keys.topic_aside(topic) for topic in topics]
    forms = [form.format(key=key) for key in aside for form in _OF_WHAT_IS_SET_ASIDE.values()]
    patterns = [f"~{key.removesuffix('aside')}*" for key in aside]
    if not here:
        return Part("event bus", forms, patterns, "warning", "events that handlers cannot take are not kept")
    logs = [keys.topic_log(topic) for topic in topics or [_NO_EVENTS]]
    forms += [form.format(key=key) for key in logs for form in _ON_A_TOPIC.values()]
    if not topics:
        return Part("event bus", forms, ["~penstock:{topic.*"], "warning", "jobs cannot publish events")
    return Part("event bus", forms, patterns, "failed", "handlers of events get none")


def _cache() -> Part:
    forms = [form.format(key=keys.cached(_NO_EVENTS, "key")) for form in _ON_AN_ENTRY.values()]
    without = "the cache keeps nothing, so that each process loads anew"
    return Part("cache", forms, ["~penstock:cache:*"], "warning", without)
