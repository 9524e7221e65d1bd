"""A worker's lines in a real Loki: found by their trace, and none missing after Loki was away.

A real Collector ships them, by filelog.yaml, or a real Alloy, by lines.alloy. `make manifests` builds the
Collector and Loki; where one of them is not, the test is skipped with the reason.
"""

from collections import Counter
from pathlib import Path

import pytest
import trio

from e2e.system import WITHIN, connected
from manifests.shipping import ALLOY, COLLECTOR, WORKERS, Agent, shipped
from manifests.wordy import MUCH, tell
from penstock.engine import JobState, Request
from support.application import add
from support.redis_server import ValkeyServer

pytestmark = pytest.mark.slow
FLAT = 8 << 20
"""Bytes by which memory may move: the interpreter's own arenas."""
AGENTS = [COLLECTOR, ALLOY]


async def succeed(redis: str, requests: list[Request]) -> None:
    """Submit jobs and see them end."""
    async with connected(redis) as client:
        with trio.fail_after(WITHIN):
            receipts = await client.submit_many(requests)
            states = {(await client.wait(receipt.id)).state for receipt in receipts}
    assert states == {JobState.SUCCEEDED}


@pytest.mark.parametrize("agent", AGENTS, ids=["collector", "alloy"])
def test_the_lines_of_a_job_are_found_by_its_trace(
    valkey: ValkeyServer, tmp_path: Path, agent: Agent
) -> None:
    """By trace id, Loki finds what the job wrote, in order, and nothing else; no id tells streams apart.

    A line as long as Penstock writes is taken whole.
    """
    with shipped(tmp_path, valkey.url, agent) as rig:
        trio.run(succeed, valkey.url, [*[add.request(left=1)] * 20, tell.request()])
        rig.worker.terminate()
        rig.arrived()

        [added, *_] = (one for one in rig.worker.records if one["event"] == "added")
        found = rig.server.lines(f'{WORKERS} | trace_id="{added["trace_id"]}"')
        long = rig.server.lines(f'{WORKERS} |= "told"')
        by_job = rig.server.lines(f'{WORKERS} | job_id="{added["job_id"]}"')
        streams, labels = rig.server.streams(), rig.server.labels()

    assert [agent.event(line) for line in found] == ["added", "job finished"]
    assert {line.fields["job_id"] for line in found} == {added["job_id"]}
    assert {line.fields["span_id"] for line in found} == {added["span_id"]}
    assert by_job == found
    assert [line.fields["detected_level"] for line in long] == ["error"]
    assert sum(len(text) for line in long for text in (line.text, *line.fields.values())) > MUCH
    assert labels <= agent.labels, labels
    assert len(streams) <= 2  # two levels


@pytest.mark.parametrize("agent", AGENTS, ids=["collector", "alloy"])
def test_loki_away_costs_the_jobs_nothing_and_no_line(
    valkey: ValkeyServer, tmp_path: Path, agent: Agent
) -> None:
    """While Loki is gone jobs end as before, no line is dropped and the worker's memory stays.

    All that it wrote meanwhile is there once Loki is back.
    """
    with shipped(tmp_path, valkey.url, agent) as rig:
        trio.run(succeed, valkey.url, [add.request(left=1)] * 400)
        rig.arrived()

        rig.server.kill()
        resident: list[int] = []
        for _ in range(3):
            trio.run(succeed, valkey.url, [add.request(left=1)] * 600)
            resident.append(rig.worker.resident)
        dropped = rig.dropped()
        rig.worker.terminate()
        rig.server.start()
        rig.arrived()

        lines = rig.server.lines(WORKERS)
        written = Counter((one["event"], one.get("job_id")) for one in rig.worker.records)

    assert set(dropped.values()) == {0}
    assert max(resident) - resident[0] < FLAT, resident
    assert Counter((agent.event(line), line.fields.get("job_id")) for line in lines) == written
