"""Schedules as workers keep them: one job a moment, whoever is there, late or not."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import JobContext, Module, Registry
from penstock.engine.errors import ConfigurationError, QueueFull, StoreUnavailable
from penstock.engine.events import JobEnqueued, JobStarted, LoopCrashed, ScheduleFired, ScheduleSkipped
from penstock.engine.memory_store import MemoryStore
from penstock.engine.names import split_job_id
from penstock.engine.periodic_schedule import suffix_of
from penstock.engine.periodic_store import Fired
from support.work import EPOCH, Rig, virtual_clock, working

MINUTE, HOUR = 60.0, 3600.0


def at(moment: float) -> float:
    """Seconds of the virtual clock at a moment since the epoch."""
    return moment - EPOCH


def minute(number: int) -> float:
    """The first full minute after the start and so many more, since the epoch."""
    return (EPOCH // MINUTE + 1 + number) * MINUTE


def hour(number: int) -> float:
    """The same of hours."""
    return (EPOCH // HOUR + 1 + number) * HOUR


def started(rig: Rig) -> list[float | None]:
    """For which moments jobs were started, in order."""
    return [int(event.attempt.headers["penstock-moment"]) / 1000 for event in rig.ears.of(JobStarted)]


def periodic(expression: str = "* * * * *", **options: Any) -> Module:
    """A module whose one job comes every minute, unless told otherwise."""
    module = Module("periodic")

    @module.cron(expression, **options)
    async def tidy(ctx: JobContext) -> None: ...

    return module


async def test_each_moment_has_one_job_however_many_workers_there_are(autojump_clock: MockClock) -> None:
    """At the moment itself, whoever of five fires it; told once, by the one that did."""
    async with working(periodic()) as rig:
        for _ in range(5):
            await rig.start_worker()
        await trio.sleep(at(minute(4)) + 1)
        fired = rig.ears.of(ScheduleFired)
    assert started(rig) == [event.moment for event in fired] == [minute(n) for n in range(5)]
    assert {event.id for event in fired} == {event.id for event in rig.ears.of(JobEnqueued)}
    assert max(event.late for event in fired) == 0
    assert not any(event.missed for event in fired)


async def test_a_worker_that_fired_last_and_died_is_replaced_within_half_a_second(
    autojump_clock: MockClock,
) -> None:
    """The others give it the precedence for less than that."""
    async with working(periodic()) as rig:
        async with trio.open_nursery() as first:
            rig.nursery = first
            await rig.start_worker()
            await rig.ears.wait_for(ScheduleFired, within=2 * MINUTE)
            first.cancel_scope.cancel()
        async with trio.open_nursery() as second:
            rig.nursery = second
            for _ in range(3):
                await rig.start_worker()
            fired = await rig.ears.wait_for(ScheduleFired, count=3, within=3 * MINUTE)
            second.cancel_scope.cancel()
    assert [event.moment for event in fired] == [minute(n) for n in range(3)]
    assert 0 < fired[1].late < 0.5
    assert fired[2].late == 0


@pytest.mark.parametrize(
    ("missed", "after"), [("latest", [2]), ("all", [0, 1, 2]), ("skip", [])], ids=["latest", "all", "skip"]
)
async def test_what_was_missed_is_made_up_for_as_declared(
    autojump_clock: MockClock, missed: str, after: list[int]
) -> None:
    """Three moments come while no worker is there; half an hour later one is."""
    store = MemoryStore(virtual_clock)
    for wait in (0.0, at(hour(2)) + HOUR / 2):
        await trio.sleep(wait)
        async with working(periodic("@hourly", missed=missed), store) as rig:
            await rig.start_worker()
            await trio.sleep(1)
    fired = rig.ears.of(ScheduleFired)
    assert started(rig) == [event.moment for event in fired] == [hour(number) for number in after]
    assert [event.missed for event in fired] == [missed == "latest"] * len(after)
    skipped = [(event.moment, event.reason) for event in rig.ears.of(ScheduleSkipped)]
    assert skipped == ([(hour(2), "missed")] if missed == "skip" else [])


async def test_all_goes_back_a_day_and_no_further(autojump_clock: MockClock) -> None:
    """After a week there is one job for each hour of the last day, oldest first."""
    store = MemoryStore(virtual_clock)
    for wait in (0.0, 7 * 24 * HOUR):
        await trio.sleep(wait)
        async with working(periodic("@hourly", missed="all"), store) as rig:
            await rig.start_worker()
            await trio.sleep(1)
    fired = rig.ears.of(ScheduleFired)
    assert [event.moment for event in fired] == [hour(7 * 24 - 1 - before) for before in reversed(range(24))]
    assert [event.missed for event in fired] == [True] + [False] * 23


async def test_a_moment_that_is_a_little_late_is_not_missed(autojump_clock: MockClock) -> None:
    """A worker that is started again within a minute fires it, also where missed ones are skipped."""
    store = MemoryStore(virtual_clock)
    for wait in (0.0, at(hour(0)) + 58):
        await trio.sleep(wait)
        async with working(periodic("@hourly", missed="skip"), store) as rig:
            await rig.start_worker()
            await trio.sleep(1)
    (fired,) = rig.ears.of(ScheduleFired)
    assert (fired.moment, fired.late) == (hour(0), 59.0)


async def test_without_overlap_a_moment_passes_while_the_job_before_has_not_ended(
    autojump_clock: MockClock,
) -> None:
    """A job of ninety seconds, every minute: every second moment has one."""
    module = Module("periodic")

    @module.cron("* * * * *", overlap=False)
    async def long(ctx: JobContext) -> None:
        await trio.sleep(1.5 * MINUTE)

    async with working(module) as rig:
        await rig.start_worker()
        await trio.sleep(at(minute(4)) + 1)
    assert started(rig) == [minute(n) for n in (0, 2, 4)]
    skipped = [(event.moment, event.reason) for event in rig.ears.of(ScheduleSkipped)]
    assert skipped == [(minute(n), "overlap") for n in (1, 3)]


async def test_intervals_do_not_drift(autojump_clock: MockClock) -> None:
    """Each is at its moment, however long jobs take and whenever workers came."""
    module = Module("periodic")

    @module.every(10)
    async def often(ctx: JobContext) -> None:
        await trio.sleep(7.3)

    async with working(module) as rig:
        await rig.start_worker()
        await trio.sleep(3.21)
        await rig.start_worker()
        await trio.sleep(300)
    assert [event.moment for event in rig.ears.of(ScheduleFired)] == [EPOCH + 10 * n for n in range(1, 31)]


async def test_a_paused_schedule_rests_and_goes_on_from_when_it_is_resumed(autojump_clock: MockClock) -> None:
    """What came meanwhile is not made up for."""
    async with working(periodic()) as rig:
        await rig.start_worker()
        await rig.ears.wait_for(ScheduleFired, within=2 * MINUTE)
        await rig.store.schedules.steer("default", "periodic.tidy", "pause")
        await trio.sleep(3 * MINUTE)
        await rig.store.schedules.steer("default", "periodic.tidy", "resume")
        await trio.sleep(MINUTE + 1)
        fired = rig.ears.of(ScheduleFired)
    assert [(event.moment, event.late) for event in fired] == [(minute(0), 0), (minute(4), 0)]


async def test_a_store_that_lost_its_data_does_not_cost_the_next_moment(autojump_clock: MockClock) -> None:
    """The workers know where it stood."""
    async with working(periodic()) as rig:
        await rig.start_worker()
        await trio.sleep(at(minute(1)) - 0.5)
        await rig.store.schedules.steer("default", "periodic.tidy", "forget")
        await trio.sleep(1)
    assert [event.moment for event in rig.ears.of(ScheduleFired)] == [minute(0), minute(1)]


async def test_a_full_queue_holds_a_moment_up_and_loses_none(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once, and the job is stored when there is room; the worker's loops do not mind."""
    async with working(periodic()) as rig:
        fire = rig.store.schedules.fire

        async def refuse(*args: Any) -> Fired:
            if trio.current_time() < at(minute(0)) + 20:
                raise QueueFull("default", 1, 1)
            return await fire(*args)

        monkeypatch.setattr(rig.store.schedules, "fire", refuse)
        await rig.start_worker()
        (fired,) = await rig.ears.wait_for(ScheduleFired, within=2 * MINUTE)
    assert fired.moment == minute(0)
    assert 19 <= fired.late <= 21
    assert [event.reason for event in rig.ears.of(ScheduleSkipped)] == ["full"]
    assert rig.ears.of(LoopCrashed) == []


async def test_a_lost_reply_does_not_make_two_jobs(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has done it and cannot say so: asked again it does, and it is told once."""
    async with working(periodic()) as rig:
        fire, lost = rig.store.schedules.fire, list[Fired]()

        async def lose(*args: Any) -> Fired:
            fired = await fire(*args)
            if not lost:
                lost.append(fired)
                raise StoreUnavailable("the reply was lost")
            return fired

        monkeypatch.setattr(rig.store.schedules, "fire", lose)
        await rig.start_worker()
        await rig.start_worker()
        await trio.sleep(at(minute(0)) + 30)
    assert lost[0].created
    assert started(rig) == [minute(0)]
    assert len(rig.ears.of(ScheduleFired)) == 1


async def test_a_job_knows_the_moment_it_is_for(autojump_clock: MockClock) -> None:
    """Not when it was stored, nor when it runs; of other jobs there is none."""
    module, seen = Module("periodic"), list[float | None]()

    @module.cron("* * * * *", args={"days": 7})
    async def tidy(ctx: JobContext, days: int) -> None:
        assert days == 7
        seen.append(ctx.scheduled_for)

    async with working(module) as rig:
        await rig.start_worker()
        await rig.ears.wait_for(ScheduleFired, within=2 * MINUTE)
        await rig.client.result(await rig.client.submit(tidy, 7))
    assert seen == [minute(0), None]


async def test_a_job_may_have_several_schedules(autojump_clock: MockClock) -> None:
    """Each with a name, arguments and options of its own."""
    module, seen = Module("periodic"), list[tuple[str, str | None]]()

    @module.cron("* * * * *", name="for_acme", args={"what": "a"})
    @module.every(MINUTE, name="for_all", args={"what": "b"})
    @module.job(queue="reports")
    async def report(ctx: JobContext, what: str) -> None:
        seen.append((what, ctx.tenant))

    module.every(MINUTE, name="for_tenant", args={"what": "c"})(report.using(tenant="acme", priority=5))
    async with working(module) as rig:
        await rig.start_worker()
        fired = await rig.ears.wait_for(ScheduleFired, count=3, within=2 * MINUTE)
        await trio.sleep(1)
    assert {event.queue for event in fired} == {"reports"}
    assert sorted(event.schedule for event in fired) == [
        f"periodic.for_{who}" for who in ("acme", "all", "tenant")
    ]
    assert sorted(seen, key=str) == [("a", None), ("b", None), ("c", "acme")]


async def test_only_workers_of_its_queue_fire_it(autojump_clock: MockClock) -> None:
    """Others do not even look."""
    async with working(periodic(queue="nobody")) as rig:
        await rig.start_worker(queues=["default"])
        await trio.sleep(2 * MINUTE)
        assert (await rig.store.schedules.attend("nobody")).standings == {}
    assert rig.ears.of(ScheduleFired) == []


async def test_a_new_rule_counts_from_when_a_worker_begins_with_it(autojump_clock: MockClock) -> None:
    """Moments that it would have had before were never promised."""
    store = MemoryStore(virtual_clock)
    async with working(periodic(), store) as rig:
        await rig.start_worker()
        await rig.ears.wait_for(ScheduleFired, within=2 * MINUTE)
    await trio.sleep(5 * HOUR)
    changed = Module("periodic")

    @changed.cron("*/2 * * * *")
    async def tidy(ctx: JobContext) -> None: ...

    async with working(changed, store) as rig:
        began = EPOCH + trio.current_time()
        await rig.start_worker()
        (fired,) = await rig.ears.wait_for(ScheduleFired, within=3 * MINUTE)
    assert began < fired.moment <= began + 2 * MINUTE


def test_what_cannot_be_is_refused_when_it_is_declared() -> None:
    """Arguments, names, policies, options: before any worker runs."""
    module = Module("periodic")

    async def job(ctx: JobContext, days: int = 1) -> None: ...

    declared = module.job(job)

    def refused(words: str, declare: Callable[[], object]) -> None:
        with pytest.raises(ConfigurationError, match=words):
            declare()

    refused("days", lambda: module.cron("@daily", name="a", args={"days": "many"})(job))
    refused("unexpected argument", lambda: module.every(60, name="b", args={"dys": 1})(job))
    refused("missed is 'none'", lambda: module.every(60, name="c", missed="none")(declared))  # type: ignore[arg-type]
    refused("too often", lambda: module.every(59, name="d", missed="all")(declared))
    refused("go where it is", lambda: module.every(60, queue="media")(declared))
    refused("cannot name", lambda: module.every(60, name="every day")(declared))
    refused("no delay", lambda: module.every(60, name="e")(declared.using(delay=1)))
    refused("no delay", lambda: module.every(60, name="e")(declared.using(idempotency_key="k")))
    module.every(60)(declared)
    refused("declared twice", lambda: module.every(30)(declared))
    other = Module("periodic")
    other.every(60)(declared)
    refused("two modules|declared by two", lambda: Registry([module, other]))


def test_an_id_tells_the_time_like_any_other() -> None:
    """Twelve hex digits of milliseconds; two schedules at one moment have two."""
    moment = 1_767_225_600_000
    one, other = suffix_of("periodic.a", moment), suffix_of("periodic.b", moment)
    assert one != other
    assert int(one[:12], 16) == moment
    assert split_job_id(f"default.{one}") == ("default", one)
