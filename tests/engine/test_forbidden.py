"""A command that the server's ACL keeps from the worker: an operator's mistake, which an operator mends."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import JobContext, JobState, Module
from penstock.engine.errors import StoreForbidden
from penstock.engine.events import LoopCrashed, StoreDown
from penstock.engine.memory_store import MemoryStore
from penstock.engine.transport.errors import from_reply
from support.work import virtual_clock, working


class ForbiddingStore(MemoryStore):
    """Refuses every step while `forbidden`; a PING is allowed."""

    def __init__(self) -> None:
        super().__init__(virtual_clock)
        self.forbidden = False

    async def _step(self, queue: str, decide: Any, *args: Any, **kwargs: Any) -> Any:
        if self.forbidden:
            await trio.lowlevel.checkpoint()
            raise StoreForbidden("NOPERM this user has no permissions to run the 'evalsha' command")
        return await super()._step(queue, decide, *args, **kwargs)


async def test_a_worker_outlives_a_command_that_is_forbidden_for_a_while(autojump_clock: MockClock) -> None:
    """Five minutes later it is allowed again, and the worker works; each loop has said it once."""
    module = Module("m")

    @module.job
    async def work(ctx: JobContext) -> None: ...

    store = ForbiddingStore()
    async with working(module, store) as rig:
        await rig.start_worker(lease=1000)
        store.forbidden = True
        await trio.sleep(300)
        store.forbidden = False
        job = await rig.client.wait((await rig.client.submit(work)).id, 30)

    assert job.state is JobState.SUCCEEDED
    assert not rig.ears.of(LoopCrashed)
    told = rig.ears.of(StoreDown)
    assert len(told) <= len({event.loop for event in told}) + 1  # two scheduler loops may share a name
    assert all("NOPERM" in event.error for event in told)


@pytest.mark.parametrize(
    "text",
    [
        "NOPERM User worker has no permissions to run the 'evalsha' command",
        "NOAUTH Authentication required.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "ERR The user executing the script can't run this command or subcommand script: 0f1e",
        "ERR ACL failure in script: User worker has no permissions to run the 'hset' command script: 0f1e",
    ],
)
def test_what_an_acl_says_is_told_from_other_refusals(text: str) -> None:
    """Redis 7 and Valkey word it differently when a script hits upon it."""
    assert isinstance(from_reply(text), StoreForbidden)
    assert not isinstance(from_reply("WRONGTYPE Operation against a key"), StoreForbidden)
