"""The scripts as they are sent, and what they keep the server from doing."""

import re

import pytest

from penstock.engine import keys, scripts
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.redis_server import valkey_server
from support.stores import LEASE, new_job, settlement

DEFINED = re.compile(r"(?m)^local (?:function )?(\w+)")
PROLOGUE = scripts._read("prologue")


def _words(lua: str) -> list[str]:
    return re.findall(r"(?<!\w\.)\b\w+", re.sub(r"--.*", "", lua))


@pytest.mark.parametrize("name", sorted(scripts.load()))
def test_a_script_brings_along_what_it_names_and_nothing_else(name: str) -> None:
    """Each definition is made anew at every call: one too many costs time, one too few is an error."""
    source = scripts.load()[name].source
    brought = source[: -len(scripts._body(name))]
    of_prologue = set(DEFINED.findall(PROLOGUE))
    there = of_prologue & set(DEFINED.findall(brought))

    assert of_prologue & set(_words(source)) == there
    assert {word for word in there if _words(source).count(word) < 2} == set()


def test_the_prologue_is_nothing_but_definitions_in_order() -> None:
    """Under one name each, behind what they name: else leaving some out would change what the others mean."""
    assert all(line.partition("--")[0].count("'") % 2 == 0 for line in PROLOGUE.splitlines())
    definitions = scripts._definitions(PROLOGUE)
    names = [definition.name for definition in definitions]

    assert PROLOGUE.endswith("".join(definition.text for definition in definitions))
    assert names == DEFINED.findall(PROLOGUE)
    assert len(set(names)) == len(names) > 40
    for place, definition in enumerate(definitions):
        assert definition.words.isdisjoint(names[place + 1 :]), definition.name


@pytest.mark.parametrize("before", [0, 5, 400])
async def test_what_a_busy_worker_holds_is_looked_up_not_searched(before: int) -> None:
    """The server keeps up to 512 short fields as a list; a claim of many jobs makes a table of it."""
    with valkey_server() as server:
        async with Redis(server.url) as redis:
            store = RedisStore(redis)
            await store.submit("q", [new_job(f"{number:028}") for number in range(before + 9)])
            await store.join("q", "w", LEASE * 1000)
            for number in range(before):
                await store.claim("q", "w", number + 1, 1, suspect=False, idle=False)
            if before:
                assert await _encoding(redis) == b"listpack"
            claim = await store.claim("q", "w", before + 1, 9, suspect=False, idle=False)

            assert await _encoding(redis) == b"hashtable"
            assert claim is not None
            first = claim.jobs[0]
            job = await store.look("q", first.suffix)
            assert job is not None
            assert job.worker == "w"
            assert job.started_at == pytest.approx(claim.now / 1000)
            beat = await store.heartbeat("q", "w", LEASE)
            assert beat is not None
            assert beat.held[first.token] == (first.suffix, before + 1)
            facts = await store.facts("q")
            assert facts.oldest_running is not None
            assert facts.oldest_running <= claim.now
            assert (
                await store.settle("q", "w", [settlement(claimed) for claimed in claim.jobs])
                == ["settled"] * 9
            )


async def _encoding(redis: Redis) -> object:
    return await redis.execute("OBJECT", "ENCODING", keys.running("q", "w"))
