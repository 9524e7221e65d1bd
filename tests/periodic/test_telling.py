"""What is told of schedules: spans, lines, metrics."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import JobContext, Module
from penstock.engine.events import ScheduleFired, ScheduleSkipped
from penstock.engine.periodic_metrics import METRICS
from penstock.telemetry.metrics.module_metrics import bind_module_metrics
from support.work import Rig as Workers
from support.work import working
from telemetry.rig import Rig

often = Module("periodic")


@often.every(60)
async def tidy(ctx: JobContext) -> None: ...


@asynccontextmanager
async def told(rig: Rig, count: int) -> AsyncGenerator[Workers]:
    """Workers that tell `rig`, once so many moments have been fired and their jobs are done."""
    async with working(often) as workers:
        for _ in range(3):
            seams = rig.telemetry.seams()
            seams.observers.add(workers.ears)
            await workers.start_worker(seams=seams)
        await workers.ears.wait_for(ScheduleFired, count=count, within=600)
        await trio.sleep(1)
        yield workers


async def test_each_run_is_a_trace_of_its_own_that_leads_to_its_firing(autojump_clock: MockClock) -> None:
    """The firing is a root, and so is the attempt, with a link to it; whoever did not fire tells nothing."""
    rig = Rig()
    async with told(rig, 1):
        rig.telemetry.tell()
        spans = rig.finished.get_finished_spans()
    firings = [span for span in spans if span.name == "enqueue default"]
    (attempt,) = [span for span in spans if span.name == "attempt default"]
    assert attempt.parent is None
    assert all(firing.parent is None for firing in firings)
    (link,) = attempt.links
    contexts = {span.context.span_id: span.context for span in firings if span.context is not None}
    assert contexts[link.context.span_id].trace_id == link.context.trace_id
    assert attempt.context is not None
    assert attempt.context.trace_id != link.context.trace_id


async def test_once_one_worker_fires_the_others_make_no_spans_for_it(autojump_clock: MockClock) -> None:
    """From the second moment on: they look, and see that it is done."""
    rig = Rig()
    async with told(rig, 1):
        rig.finished.clear()
        await trio.sleep(5 * 60)
        names = [span.name for span in rig.finished.get_finished_spans()]
    assert names.count("enqueue default") == 5


async def test_firings_are_counted_once(autojump_clock: MockClock) -> None:
    """By the worker that stored the job, with how late it was."""
    rig = Rig()
    unbind = bind_module_metrics(rig.telemetry.metrics, METRICS)
    try:
        async with told(rig, 3):
            labels = {"queue": "default", "job": "periodic.tidy", "module": "periodic"}
            assert rig.value("penstock_schedule_fired_total", **labels) == 3
            assert rig.value("penstock_schedule_lateness_seconds", **labels)["count"] == 3
    finally:
        unbind()


async def test_a_firing_is_a_line_at_debug(autojump_clock: MockClock) -> None:
    """With the job's id, by which its own lines are found."""
    rig = Rig()
    async with told(rig, 1) as workers:
        (fired,) = workers.ears.of(ScheduleFired)
    (line,) = [line for line in rig.lines() if line["event"] == "schedule fired"]
    assert (line["level"], line["schedule"], line["job_id"]) == ("debug", "periodic.tidy", fired.id)


@pytest.mark.parametrize(
    ("reason", "level"), [("missed", "warning"), ("overlap", "info"), ("full", "warning")]
)
def test_what_was_skipped_is_told_with_its_reason(reason: str, level: str) -> None:
    """And with the moment."""
    rig = Rig()
    event = ScheduleSkipped("periodic.tidy", "periodic.tidy", "default", 1_700_000_000.0, reason)
    rig.telemetry.seams().observers.emit(event)
    (line,) = rig.lines()
    assert (line["level"], line["schedule"]) == (level, "periodic.tidy")
    assert line["moment"] == "2023-11-14T22:13:20+00:00"


def test_moments_that_were_missed_are_a_warning() -> None:
    """Also where the last of them is made up for."""
    rig = Rig()
    event = ScheduleFired(
        "periodic.tidy", "default.1", "periodic.tidy", "default", 1_700_000_000.0, 7_200.0, True
    )
    rig.telemetry.seams().observers.emit(event)
    (line,) = rig.lines()
    assert (line["level"], line["late"]) == ("warning", 7200.0)
