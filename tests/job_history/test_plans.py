"""Each search goes along an index, newest first, and none sorts more than what shares a millisecond."""

from typing import Any

import pytest
from sqlalchemy import Connection

from job_history.endings import START
from penstock.engine.job import JobState
from penstock.engine.job_history import History, HistorySettings, Search, open_history
from penstock.engine.job_history.purging import orphans
from penstock.engine.job_history.searching import query_of

CURSOR = f"{int(START)}~media.{1:028x}"
SORTED = "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"  # within one millisecond
ALONG = [
    (Search(), "jobs_ended"),
    (Search(cursor=CURSOR), "jobs_ended (ended_ms<?)"),
    (Search(since=START, until=START + 9), "jobs_ended (ended_ms>? AND ended_ms<?)"),
    (Search(tenant="a"), "jobs_tenant (tenant=?)"),
    (Search(tenant="a", since=START), "jobs_tenant (tenant=? AND ended_ms>?)"),
    (Search(tenant="a", cursor=CURSOR), "jobs_tenant (tenant=? AND ended_ms<?)"),
    (Search(job="m.j"), "jobs_job (job=?)"),
    (Search(queue="q"), "jobs_queue (queue=?)"),
    (Search(state=JobState.DEAD), "jobs_state (state=?)"),
    (Search(error="route"), "jobs_failed"),
    (Search(tenant="a", job="m.j", queue="q", state=JobState.DEAD), "jobs_tenant (tenant=?)"),
    (Search(tenant="a", error="route"), "jobs_tenant (tenant=?)"),
    (Search(job="m.j", queue="q", state=JobState.DEAD), "jobs_job (job=?)"),
    (Search(queue="q", state=JobState.DEAD), "jobs_state (state=?)"),
    (Search(queue="q", state=JobState.SUCCEEDED, since=START), "jobs_queue (queue=? AND ended_ms>?)"),
]


async def plan(history: History, search: Search) -> list[str]:
    """What SQLite would do to answer a search."""
    return await explained(history, query_of(search, guided=True))


async def explained(history: History, query: Any) -> list[str]:
    """What SQLite would do, step by step."""
    dialect = history._reading.engine.dialect
    sql = query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})

    def explain(connection: Connection) -> list[str]:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")
        return [str(row.detail) for row in rows]

    return await history._reading.run("test", explain)


@pytest.mark.parametrize(("search", "index"), ALONG)
async def test_a_search_goes_along_its_index(sqlite: HistorySettings, search: Search, index: str) -> None:
    """Of several, along that which as a rule fewer jobs share."""
    async with open_history(sqlite) as history:
        how = await plan(history, search)
    assert len(how) == 2
    assert how[0].endswith(f"USING INDEX {index}")
    assert how[1] == SORTED


async def test_a_trace_is_looked_up_and_not_searched_for(sqlite: HistorySettings) -> None:
    """In both tables, by the conditions of their partial indexes; the few jobs found are sorted."""
    async with open_history(sqlite) as history:
        how = await plan(history, Search(trace_id="f" * 32))
    assert not [step for step in how if step.startswith("SCAN")]
    assert "SEARCH jobs USING INDEX jobs_trace (trace_id=?)" in how
    assert "SEARCH attempts USING INDEX attempts_trace (trace_id=?)" in how


async def test_purging_looks_at_unfinished_attempts_only(sqlite: HistorySettings) -> None:
    """Each hour, in a table that has millions of others."""
    query = orphans(int(START * 1000), 10)
    async with open_history(sqlite) as history:
        how = await explained(history, query)
    assert how[0] == "SEARCH attempts USING INDEX attempts_unfinished (ended_ms<?)"
