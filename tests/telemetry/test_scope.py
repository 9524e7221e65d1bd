"""What stands on every line inside a job, wherever in the job it is written."""

import logging
import threading
from typing import Annotated

import msgspec
import pytest
import structlog
import trio

from penstock.engine import JobContext, Logged, Module
from penstock.engine.outcome import Released, Succeeded
from penstock.telemetry.scope import current_scope
from support.work import working
from telemetry.rig import Rig, attempt

DONE = Succeeded(msgspec.Raw(b"\xc0"))
IDS = {"trace_id", "span_id", "trace_flags", "job_id", "job", "module", "queue", "attempt"}


def test_a_line_inside_a_job_knows_its_job(rig: Rig) -> None:
    """All ids without the author doing anything; tenant and user only where the job has them."""
    for this in (attempt("media.1"), attempt("media.2", tenant="acme", user="ann", number=3)):
        with rig.telemetry.around_attempt(this) as scope:
            structlog.get_logger().info("working")
            this.outcome = DONE
    structlog.get_logger().info("outside")

    bare, owned, outside = rig.lines()
    assert set(bare) - {"timestamp", "level", "event", "logger"} == IDS
    assert tuple(bare[key] for key in ("job_id", "job", "module", "queue", "attempt")) == (
        "media.1",
        "images.thumbnail",
        "images",
        "media",
        1,
    )
    assert (owned["tenant_id"], owned["user_id"], owned["attempt"]) == ("acme", "ann", 3)
    assert scope.span is not None
    assert (scope.span.trace_id, scope.span.span_id) == (owned["trace_id"], owned["span_id"])
    assert not IDS & set(outside)


def test_what_the_line_says_itself_wins(rig: Rig) -> None:
    """A line about another job names that one."""
    with rig.telemetry.around_attempt(attempt("media.1")):
        structlog.get_logger().info("submitted another", job_id="media.2")

    assert rig.lines()[0]["job_id"] == "media.2"


async def test_children_and_threads_know_the_job_too(rig: Rig) -> None:
    """Trio hands context to nursery children and to threads."""
    log = structlog.get_logger()

    async def child() -> None:
        log.info("in a child")
        await trio.to_thread.run_sync(log.info, "in a child's thread")

    with rig.telemetry.around_attempt(attempt("media.1")):
        await trio.to_thread.run_sync(log.info, "in a thread")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    lines = [line for line in rig.lines() if line["event"].startswith("in a ")]
    assert len(lines) == 3
    assert {"media.1"} == {line["job_id"] for line in lines}
    assert len({line["span_id"] for line in lines}) == 1


async def test_twenty_jobs_at_once_do_not_mix(rig: Rig) -> None:
    """Each sees its own ids before and after every switch to the others."""
    log = structlog.get_logger()
    all_inside = trio.Event()
    inside = 0

    async def run(number: int) -> None:
        nonlocal inside
        this = attempt(f"media.{number}", tenant=f"tenant{number}")
        with rig.telemetry.around_attempt(this) as scope:
            expected = scope.fields["span_id"]
            inside += 1
            if inside == 20:
                all_inside.set()
            await all_inside.wait()
            log.info("here", expected_span=expected, expected_job=this.id)
            await trio.to_thread.run_sync(
                lambda: log.info("there", expected_span=expected, expected_job=this.id)
            )
            this.outcome = DONE

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(run, number)

    lines = [line for line in rig.lines() if line["event"] in ("here", "there")]
    assert len(lines) == 40
    assert len({line["trace_id"] for line in lines}) == 20
    for line in lines:
        assert (line["expected_span"], line["expected_job"]) == (line["span_id"], line["job_id"])
        assert line["tenant_id"] == "tenant" + line["job_id"].removeprefix("media.")


async def test_the_scope_is_left_whatever_ends_the_job(rig: Rig) -> None:
    """Errors and cancellation included."""
    outside = current_scope()
    with pytest.raises(KeyError), rig.telemetry.around_attempt(attempt()):
        raise KeyError
    this = attempt()
    with trio.CancelScope() as cancelled, rig.telemetry.around_attempt(this):
        this.outcome = Released("shutdown")
        cancelled.cancel()
        await trio.lowlevel.checkpoint()

    assert outside is current_scope()


async def test_the_standard_library_knows_the_job_too(rig: Rig) -> None:
    """Libraries that log in their own way, in the handler's task and in threads below it."""
    library = logging.getLogger("confluent_kafka")

    with rig.telemetry.around_attempt(attempt("media.1", tenant="acme")):
        library.warning("here")
        await trio.to_thread.run_sync(library.warning, "there")

    lines = [line for line in rig.lines() if line["logger"] == "confluent_kafka"]
    assert [line["event"] for line in lines] == ["here", "there"]
    assert {("media.1", "acme", "images", 1)} == {
        (line["job_id"], line["tenant_id"], line["module"], line["attempt"]) for line in lines
    }
    assert len({line["span_id"] for line in lines}) == 1


async def test_jobs_in_threads_know_themselves() -> None:
    """A `def` job runs in a thread; its lines, and those of libraries it calls, carry its ids."""
    module = Module("reports")
    log = structlog.get_logger("reports")

    @module.job
    def yearly(ctx: JobContext, year: int) -> None:
        log.info("counting", thread=threading.current_thread().name)
        logging.getLogger("sqlalchemy.pool").warning("connection lost")

    rig = Rig()
    async with working(module) as shop:
        await shop.start_worker(seams=rig.telemetry.seams())
        job_id = (await shop.client.submit(yearly, 2026)).id
        assert (await shop.client.wait(job_id, 10)).state.final

    inside = [line for line in rig.lines() if line["logger"] in ("reports", "sqlalchemy.pool")]
    assert [line["event"] for line in inside] == ["counting", "connection lost"]
    assert inside[0]["thread"] == "reports.yearly"
    assert {(job_id, "reports.yearly", "reports", "default", 1)} == {
        tuple(line[key] for key in ("job_id", "job", "module", "queue", "attempt")) for line in inside
    }


async def test_a_line_below_a_child_span_carries_the_child(rig: Rig) -> None:
    """`span_id` is that of the innermost span, the ids of the job stay."""
    log = structlog.get_logger()
    tracer = rig.telemetry.tracing.provider.get_tracer("library")
    with rig.telemetry.around_attempt(attempt("media.1")) as scope:
        with tracer.start_as_current_span("query") as child:
            log.info("inside")
        log.info("outside")
        assert scope.span is not None
        own = scope.span.span_id

    inside, outside = rig.lines()
    assert (inside["span_id"], outside["span_id"]) == (f"{child.get_span_context().span_id:016x}", own)
    assert inside["trace_id"] == outside["trace_id"]
    assert inside["job_id"] == outside["job_id"] == "media.1"


WIDTH = 314_159_265_358
"""A number that no id or time on a line has in it by chance, as a short one may."""


@pytest.mark.parametrize("asked", [True, False], ids=["marked", "not marked"])
async def test_arguments_are_logged_only_where_their_author_asked(asked: bool) -> None:
    """`Logged` ones stand on every line inside the job, cut and without secrets; others on none."""
    module = Module("images")

    if asked:

        @module.job
        async def resize(
            ctx: JobContext,
            width: Annotated[int, Logged()],
            options: Annotated[dict[str, str], Logged()],
            who: str,
        ) -> None:
            structlog.get_logger().info("resizing")
    else:

        @module.job
        async def resize(ctx: JobContext, width: int, options: dict[str, str], who: str) -> None:
            structlog.get_logger().info("resizing")

    rig = Rig()
    options = {"mode": "x", "api_key": "k"}
    async with working(module) as shop:
        await shop.start_worker(seams=rig.telemetry.seams())
        job_id = (await shop.client.submit(resize, WIDTH, options, "ann@example.org")).id
        assert (await shop.client.wait(job_id, 10)).state.final

    lines = [line for line in rig.lines() if line.get("job_id") == job_id]
    inside = [line for line in lines if line["event"] in ("resizing", "job finished")]
    expected = {"width": WIDTH, "options": {"mode": "x", "api_key": "[redacted]"}} if asked else None
    assert [expected] * 2 == [line.get("args") for line in inside]
    assert "ann@example.org" not in rig.stream.getvalue()
    assert asked or str(WIDTH) not in rig.stream.getvalue()
