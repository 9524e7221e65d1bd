"""What the history tells of itself: each statement as an operation, connections, rates, errors."""

import importlib
import re
import threading
from contextlib import AbstractContextManager
from typing import Any

import pytest
from opentelemetry.semconv.attributes import db_attributes
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import text

from job_history.endings import START, Operations, counting, dead, ending, failure, job_id
from penstock.engine.events import Event, ObserverFailed, Observers
from penstock.engine.job_history import (
    METRICS,
    History,
    HistoryRefused,
    HistorySettings,
    Search,
    open_history,
)
from penstock.engine.metric import collect
from penstock.engine.operation import Headers, Operation
from penstock.engine.seams import Seams
from penstock.engine.sql.settings import POSTGRESQL
from telemetry.rig import Rig

SECRETS = ("s3cret-tenant", "s3cret-user", "s3cret-message", "4bf92f3577b34da6a3ce929d0e0e4736")
KNOWN = {
    str(value)
    for name, value in vars(importlib.import_module(db_attributes.__name__)).items()
    if name.startswith("DB_") and isinstance(value, str)
}


def is_postgresql(settings: HistorySettings) -> bool:
    """Which of the two it is."""
    return settings.url.startswith(POSTGRESQL)


async def use(history: History) -> None:
    """Everything that can be done with it."""
    tenant, user, message, trace = SECRETS
    error = failure(message)
    await history.writer.take(
        [dead(1, tenant=tenant, user=user, trace_id=trace, error=error), ending(2), ending(3)]
    )
    await history.search(Search(tenant=tenant, error=message, trace_id=trace, since=START, limit=7))
    await history.read(job_id(1))
    await history.purge(START + 2)


async def test_each_statement_is_an_operation_in_the_words_of_the_conventions(
    settings: HistorySettings,
) -> None:
    """Kind, names and attributes; what it did to which table in which database."""
    operations = Operations()
    async with open_history(settings, operations.seams) as history:
        del operations.ended[:], operations.begun[:]
        await use(history)
    assert operations.begun == operations.ended
    done = [name for name in operations.names() if name != "BEGIN"]
    assert done == [
        *("INSERT jobs", "INSERT attempts"),
        "SELECT jobs",
        *("SELECT jobs", "SELECT attempts"),
        *("SELECT jobs", "DELETE attempts", "DELETE jobs", "SELECT attempts"),
    ]
    system = "postgresql" if is_postgresql(settings) else "sqlite"
    for operation in operations.ended:
        assert operation.kind == "client"
        assert operation.error_type is None
        assert set(operation.attributes) <= KNOWN
        assert operation.attributes["db.system.name"] == system
        assert str(operation.attributes["db.namespace"]) in settings.url
        words = [operation.attributes["db.operation.name"], operation.attributes.get("db.collection.name")]
        assert operation.name == " ".join(str(word) for word in words if word)
    assert operations.ended[0 if is_postgresql(settings) else 1].attributes["db.operation.batch.size"] == 3


async def test_the_text_of_a_statement_has_placeholders_only(settings: HistorySettings) -> None:
    """No tenant, no message, no id: whoever reads traces need not be allowed to read jobs."""
    operations = Operations()
    async with open_history(settings, operations.seams) as history:
        del operations.ended[:]
        await use(history)
    shown = repr(operations.ended)
    for value in (*SECRETS, job_id(1), str(int(START * 1000))):
        assert value not in shown
    texts = [str(operation.attributes["db.query.text"]) for operation in operations.ended]
    holder = r"%\(\w+\)s" if is_postgresql(settings) else r"\?"
    assert all(re.search(holder, one) for one in texts if not one.startswith("BEGIN"))


async def test_the_text_of_a_long_statement_is_cut(settings: HistorySettings) -> None:
    """One that lists the ids of 500 jobs says nothing more than its beginning."""
    operations = Operations()
    async with open_history(settings, operations.seams) as history:
        await history.writer.take([ending(number) for number in range(1, 501)])
        await history.purge(START + 1_000)
    assert max(len(str(one.attributes["db.query.text"])) for one in operations.ended) <= 2_000


async def test_spans_of_statements_hang_below_the_callers_though_they_run_in_threads(
    settings: HistorySettings,
) -> None:
    """The context goes along into the thread, and the telemetry proper makes spans of kind client."""
    rig = Rig()
    with rig.telemetry.tracing.step("caller"):
        async with open_history(settings, rig.telemetry.seams()) as history:
            await use(history)
    spans = rig.spans()
    caller = spans["caller"].context
    assert caller is not None
    for name in ("INSERT jobs", "INSERT attempts", "SELECT jobs", "DELETE jobs"):
        span = spans[name]
        assert span.kind is SpanKind.CLIENT
        assert span.parent is not None
        assert span.parent.span_id == caller.span_id


async def test_a_failed_statement_says_the_databases_code_and_nothing_of_its_values(
    settings: HistorySettings,
) -> None:
    """`error.type` and `db.response.status_code`; no text of the driver, which may quote values."""
    rig = Rig()
    async with open_history(settings, rig.telemetry.seams()) as history:
        query = text("SELECT * FROM nothing WHERE tenant = :tenant").bindparams(tenant=SECRETS[0])
        with pytest.raises(HistoryRefused):
            await history._reading.run("search", lambda connection: connection.execute(query))
    span = rig.spans()["SELECT nothing"]
    code = "42P01" if is_postgresql(settings) else "SQLITE_ERROR"
    assert span.attributes is not None
    assert (span.attributes["db.response.status_code"], span.attributes["error.type"]) == (code, code)
    assert span.status.status_code is StatusCode.ERROR
    assert SECRETS[0] not in span.to_json()


class Broken(AbstractContextManager[Headers]):
    """Telemetry that fails on entering, or on leaving."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> Headers:
        if self._where == "enter":
            raise RuntimeError("no spans today")
        return {}

    def __exit__(self, *_: object) -> None:
        raise RuntimeError("no spans today")


@pytest.mark.parametrize("where", ["enter", "leave"])
async def test_telemetry_that_fails_costs_no_statement(settings: HistorySettings, where: str) -> None:
    """It is reported as an observer that failed, in the loop's thread, where observers live."""
    heard: list[Event] = []
    threads: set[threading.Thread] = set()

    def around(_operation: Operation) -> Broken:
        return Broken(where)

    def hear(event: Event) -> None:
        heard.append(event)
        threads.add(threading.current_thread())

    seams = Seams(Observers(hear), around_operation=around)
    async with open_history(settings, seams) as history:
        await history.writer.take([ending(1)])
        assert await history.read(job_id(1)) is not None
    assert heard
    assert {type(event) for event in heard} == {ObserverFailed}
    assert threads == {threading.current_thread()}


async def test_connections_are_counted_and_none_is_left(settings: HistorySettings) -> None:
    """Open ones, used ones, and calls that wait for one; after the end there are none of any."""
    seen: list[tuple[float, float]] = []
    with counting() as counts:

        def look(_connection: Any) -> None:
            seen.append((pool("size"), pool("in_use")))

        def pool(state: str) -> float:
            return counts.of("history_pool_connections", state)

        async with open_history(settings) as history:
            await use(history)
            assert pool("in_use") == 0
            await history._reading.run("search", look)
            assert pool("size") == 2
        assert seen == [(2, 1)]
        assert [pool(state) for state in ("size", "in_use", "waiting")] == [0, 0, 0]


async def test_operations_and_what_they_did_are_counted(settings: HistorySettings) -> None:
    """How long each took, by what it was; endings by state; errors by type."""
    with counting() as counts:
        async with open_history(settings) as history:
            await use(history)
            with pytest.raises(HistoryRefused):
                await history._reading.run("search", lambda one: one.execute(text("SELECT * FROM nothing")))
    for operation, times in {"open": 1, "write": 1, "search": 2, "read": 1, "purge": 1}.items():
        assert counts.of("history_operation_seconds", operation) == times
    assert counts.of("history_endings", "dead") == 1
    assert counts.of("history_endings", "succeeded") == 2
    assert counts.of("history_purged_jobs", "dead") == 1
    assert counts.of("history_errors", "search", "HistoryRefused") == 1


def test_all_metrics_can_be_shown_together() -> None:
    """Names and labels as `metric.py` asks for."""
    assert len(collect(METRICS)) == len(METRICS)
