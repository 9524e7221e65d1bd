"""Every script's call is cut off once, before it is carried out and after: the transport sends it again.

The same call on a server that nobody disturbs is what the outcome is compared with.
"""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from conformance.test_twice import Case
from penstock.engine import scripts
from penstock.engine.job import JobState
from penstock.engine.transport import Redis
from proofs.cases import (
    CASES,
    QUEUE,
    SECOND_ANSWERS,
    assert_each_ended_once,
    bring_to_an_end,
    cases_of,
    everything_stored,
    set_up,
)
from support.redis_server import ValkeyServer
from support.resp_proxy import RespProxy, When, resp_proxy
from support.stores import QueueUnderTest, redis_harness

SCRIPTS = scripts.load(scripts.TEST_CLOCK)


@pytest.fixture
async def proxy(server: ValkeyServer) -> AsyncGenerator[RespProxy]:
    """In front of the server."""
    async with resp_proxy(server.socket_path) as running:
        yield running


class Outcome(msgspec.Struct):
    """What one call led to."""

    answer: Any
    second: Any
    """What the call answers where it had been carried out before."""
    stored: dict[str, object]
    """Everything on the server, right after the call."""
    ends: dict[str, JobState]
    """How every job ended, when all was worked off."""


async def _carry_out(
    proxy: RespProxy, redis: Redis, script: str, case: Case, cut: tuple[When, int] | None, *, known: bool
) -> Outcome:
    """Set up, make the call, cut where told to; `known` is whether the server knows the scripts by then."""
    async with redis_harness(proxy.url) as harness:
        queue = QueueUnderTest(harness, QUEUE)
        send = await case(queue, await set_up(queue))
        await redis.execute("SCRIPT", "FLUSH")
        for each in SCRIPTS.values() if known else ():
            await redis.execute("SCRIPT", "LOAD", each.source)
        if cut is not None:
            when, number = cut
            proxy.cut(SCRIPTS[script], when, number)
        answer = await send()
        assert proxy.cuts == (cut is not None)
        second = SECOND_ANSWERS[case](queue) if case in SECOND_ANSWERS else answer
        stored = await everything_stored(redis)
        await bring_to_an_end(queue)
        return Outcome(answer, second, stored, await assert_each_ended_once(queue, redis))


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("script", "case"), cases_of())
async def test_a_call_that_is_cut_off_once_is_carried_out_once(
    server: ValkeyServer, proxy: RespProxy, script: str, case: Case, when: When, known: bool
) -> None:
    """The same is stored, the same is answered, nothing is stranded, and every job ends one time.

    A script that the server does not know is called twice: by digest, then by source. The second is cut.
    """
    cut = (when, 1 if known else 2)
    async with Redis(server.url) as redis:
        undisturbed = await _carry_out(proxy, redis, script, case, None, known=known)
        disturbed = await _carry_out(proxy, redis, script, case, cut, known=known)

    assert disturbed.answer == (undisturbed.answer if when == "before" else undisturbed.second)
    assert disturbed.stored == undisturbed.stored
    assert disturbed.ends == undisturbed.ends


def test_every_script_has_a_case() -> None:
    """Nobody adds a script without saying how its call is repeated."""
    assert set(CASES) == set(SCRIPTS)
    assert all(CASES.values())
