"""What queues promise: declared in modules, shown in metrics, and compared with what happens."""

import re

import pytest

from penstock.deploy.composition import compose
from penstock.deploy.settings import Settings
from penstock.engine import Module, Objective, Registry
from penstock.engine import events as e
from penstock.engine.errors import ConfigurationError
from telemetry.rig import Rig, attempt

NOWHERE = Settings(redis="unix:///nonexistent/valkey.sock")


@pytest.mark.parametrize(
    ("queue", "objective", "words"),
    [
        ("media", Objective(wait=0), "wait is 0"),
        ("media", Objective(wait=float("nan")), "wait is nan"),
        ("media", Objective(wait=30, share=1), "share is 1"),
        ("media", Objective(wait=30, share=99), "share is 99"),
        ("media", Objective(wait=30, share=0.9), "0.95 to below 1"),
        ("media", Objective(wait=30, success=0.5), "success is 0.5"),
        ("Media!", Objective(wait=30), "cannot name a queue"),
    ],
)
def test_an_objective_that_cannot_be_is_refused_where_it_is_declared(
    queue: str, objective: Objective, words: str
) -> None:
    """With the module, the queue and what was expected."""
    with pytest.raises(ConfigurationError, match=re.escape(words)) as raised:
        Module("images", objectives={queue: objective})
    assert "module images" in str(raised.value)


def test_modules_may_agree_on_a_queue_but_not_promise_different_things() -> None:
    """One queue has one objective, whoever declares it."""
    images = Module("images", objectives={"media": Objective(wait=30)})
    films = Module("films", objectives={"media": Objective(wait=30), "slow": Objective(wait=600)})
    sounds = Module("sounds", objectives={"media": Objective(wait=60)})

    assert Registry([images, films]).objectives == {"media": Objective(wait=30), "slow": Objective(wait=600)}
    with pytest.raises(
        ConfigurationError, match="images and sounds declare different objectives of queue media"
    ):
        Registry([images, films, sounds])


async def test_every_process_shows_what_its_application_promises() -> None:
    """Also one without a worker, so that it is known while no worker lives."""
    images = Module("images", objectives={"media": Objective(wait=30, share=0.95, success=0.999)})
    async with compose(NOWHERE, Registry([images]), role="api") as parts:
        metrics = parts.telemetry.metrics.registry
        assert metrics.get("penstock_queue_objective_seconds").get({"queue": "media"}) == 30
        ratio = metrics.get("penstock_queue_objective_ratio")
        assert {of: ratio.get({"queue": "media", "of": of}) for of in ("wait", "success")} == {
            "wait": 0.95,
            "success": 0.999,
        }


@pytest.mark.parametrize(("waited", "late"), [(0.5, 0), (30.0, 0), (30.001, 1), (-0.1, 0)])
def test_an_attempt_is_late_once_it_waited_longer_than_its_queue_promises(
    rig: Rig, waited: float, late: int
) -> None:
    """Counted by queue, when it starts, however it ends."""
    rig.telemetry.metrics.objectives.declare({"media": Objective(wait=30)})
    for observer in rig.telemetry.observers():
        observer(e.WorkerStarted("w1", ["media"], 8))
        observer(e.JobStarted(attempt(waited=waited)))
    assert rig.value("penstock_jobs_late_total", queue="media") == late


def test_without_an_objective_nothing_is_late(rig: Rig) -> None:
    """And no series says that nothing was."""
    for observer in rig.telemetry.observers():
        observer(e.WorkerStarted("w1", ["media"], 8))
        observer(e.JobStarted(attempt(waited=1e6)))
    rig.telemetry.tell()
    assert rig.telemetry.metrics.jobs.late.children() == []


def test_what_alerts_wait_for_is_shown_before_it_happens(rig: Rig) -> None:
    """Prometheus sees no increase in a series that begins at 1."""
    rig.telemetry.metrics.objectives.declare({"media": Objective(wait=30)})
    for observer in rig.telemetry.observers():
        observer(e.WorkerStarted("w1", ["media"], 8))
    jobs, worker = rig.telemetry.metrics.jobs, rig.telemetry.metrics.worker
    shown = {
        family.name: [(child.labels, child.value) for child in family.children()]
        for family in (jobs.late, worker.lease_lost, worker.reaped)
    }
    assert shown == {
        "penstock_jobs_late_total": [('queue="media"', 0)],
        "penstock_lease_lost_total": [('queue="media"', 0)],
        "penstock_jobs_reaped_total": [
            ('queue="media",result="returned"', 0),
            ('queue="media",result="dead"', 0),
        ],
    }
