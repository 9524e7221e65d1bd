"""The limit sends what Penstock sent, byte by byte, and the server does the same work again."""

from contextlib import closing
from functools import partial

import pytest
import trio

from benchmarks.limit.line import Line
from benchmarks.limit.recording import record
from benchmarks.limit.replay_child import replay
from support.redis_server import valkey_server

JOBS = 600


async def test_a_replay_settles_every_job_one_by_one_and_in_a_pipeline() -> None:
    """Claims find the same jobs and give them the same tokens, time after time."""
    with valkey_server() as server, trio.fail_after(60):
        recording = await record(server.url, JOBS)
        assert recording.submit
        assert recording.settles
        with closing(Line(server.url)) as line:
            for window in (1, 8, 1):
                again = partial(replay, line, recording, JOBS, window)
                assert (await trio.to_thread.run_sync(again))["drained"] > 0


async def test_a_replay_that_does_less_is_no_limit() -> None:
    """Without one of the submissions it says so."""
    with valkey_server() as server, trio.fail_after(60):
        recording = await record(server.url, JOBS)
        less = recording._replace(submit=recording.submit[1:])
        with closing(Line(server.url)) as line, pytest.raises(RuntimeError, match="settled"):
            await trio.to_thread.run_sync(partial(replay, line, less, JOBS, 1))
