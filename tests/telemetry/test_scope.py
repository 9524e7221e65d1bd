"""What stands on every line inside a job, wherever in the job it is written."""

import msgspec
import pytest
import structlog
import trio

from penstock.engine.outcome import Released, Succeeded
from penstock.telemetry.scope import current_scope
from telemetry.rig import Rig, attempt

DONE = Succeeded(msgspec.Raw(b"\xc0"))
IDS = {"trace_id", "span_id", "job_id", "job", "module", "queue", "attempt"}


def test_a_line_inside_a_job_knows_its_job(rig: Rig) -> None:
    """All ids without the author doing anything; tenant and user only where the job has them."""
    for this in (attempt("media.1"), attempt("media.2", tenant="acme", user="ann", number=3)):
        with rig.telemetry.around_attempt(this) as span:
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
    assert (f"{span.trace_id:032x}", f"{span.span_id:016x}") == (owned["trace_id"], owned["span_id"])
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
        with rig.telemetry.around_attempt(this) as span:
            expected = f"{span.span_id:016x}"
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
