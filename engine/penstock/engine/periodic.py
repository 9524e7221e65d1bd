"""The loop of schedules: stores the job of each moment when it comes."""

import math
import random
from collections.abc import Mapping, Sequence

import msgspec
import trio

from penstock.engine.context import MOMENT, SCHEDULE
from penstock.engine.errors import QueueFull, StoreFull, StoreUnavailable
from penstock.engine.events import JobEnqueued, ScheduleFired, ScheduleSkipped
from penstock.engine.limits import MAX_WAITING
from penstock.engine.names import quote_tenant
from penstock.engine.periodic_metrics import FIRED, LATENESS, SKIPPED
from penstock.engine.periodic_schedule import Due, Schedule, suffix_of
from penstock.engine.periodic_store import Attendance, Declared, Fired, Firing, Standing
from penstock.engine.record import Body, encode_body
from penstock.engine.shift import Shift
from penstock.engine.store import NewJob, Terms

MAX_WAIT = 60.0
"""Seconds between looks at a queue that has schedules: how soon it is noticed that a server's clock was set,
or that this machine slept."""
COURTESY = (0.1, 0.4)
"""Seconds that the worker which fired a schedule last gets before this one tries, drawn once: so that of many
one asks, and the others find it done."""
ROOM_AGAIN = 1.0
"""Seconds until a queue or a server that had no room is asked again."""


class Periodic:
    """One queue's schedules, as one worker attends to them; all others do the same."""

    def __init__(self, shift: Shift, queue: str, schedules: Sequence[Schedule]) -> None:
        self._shift = shift
        self._queue = queue
        self._schedules = schedules
        self._book = shift.store.schedules
        self._courtesy = round(random.uniform(*COURTESY) * 1000)
        self._unanswered: dict[str, Due] = {}  # schedule → what was sent when the store went away
        self._held_up: dict[str, int] = {}  # schedule → moment that was told of as finding no room
        self._last: dict[str, int] = {}  # where each stood, for a store that loses it

    async def run(self) -> None:
        """Fire until cancelled. A moment is fired or not when it is: the store knows."""
        now, new = (await self._book.attend(self._queue)).now, True
        while True:
            attendance = await self._book.attend(self._queue, self._declared(now), new=new)
            now, new, began = attendance.now, False, trio.current_time()
            self._last = {name: standing.last for name, standing in attendance.standings.items()}
            again = min(await self._look(attendance), MAX_WAIT)
            await trio.sleep(max(0.0, again - (trio.current_time() - began)))

    def _declared(self, now: int) -> list[Declared]:
        return [
            Declared(
                name=one.name,
                next=one.moments.after(now),
                text=msgspec.json.encode(one.describe()),
                last=self._last.get(one.name, 0),
            )
            for one in self._schedules
        ]

    async def _look(self, attendance: Attendance) -> float:
        """Fire what is due; seconds until the next look."""
        soonest = math.inf
        for schedule in self._schedules:
            standing = attendance.standings.get(schedule.name)
            at = schedule.moments.after(attendance.now)  # a pause may be over by then
            if standing is not None and not standing.paused:
                at = await self._attend_to(schedule, standing, attendance.now)
            soonest = min(soonest, (at - attendance.now) / 1000)
        return soonest

    async def _attend_to(self, schedule: Schedule, standing: Standing, now: int) -> int:
        """Fire one schedule as far as it is due at `now`; the time of the next look, by the store's clock."""
        last, usual = standing.last, standing.by in ("", self._shift.worker)
        self._catch_up_telling(schedule, standing, now)
        while (due := schedule.due(last, now)) is not None:
            if not usual and now < due.moment + self._courtesy:
                return due.moment + self._courtesy
            try:
                fired = await self._step(schedule, due)
            except (QueueFull, StoreFull):
                self._tell_full(schedule, due)
                return now + round(ROOM_AGAIN * 1000)
            except StoreUnavailable:
                self._unanswered[schedule.name] = due
                raise
            if fired.word == "early":  # the server's clock was set back since we looked
                return now + due.moment - fired.now
            if fired.word != "fired":
                break
            last = self._last[schedule.name] = due.moment
            self._tell(schedule, due, fired)
        return schedule.moments.after(max(last, now))

    async def _step(self, schedule: Schedule, due: Due) -> Fired:
        firing = Firing(
            name=schedule.name,
            moment=due.moment,
            next=schedule.moments.after(due.moment),
            worker=self._shift.worker,
        )
        if not due.fire:
            return await self._book.fire(self._queue, firing)
        request = schedule.request
        terms = Terms(most=MAX_WAITING, disk=request.durable, replicas=request.wait_replicas)
        with self._shift.seams.around_submit([request]) as headers:
            return await self._book.fire(self._queue, firing, _job(schedule, due.moment, headers), terms)

    # --- what is told ----------------------------------------------------------------------

    def _tell(self, schedule: Schedule, due: Due, fired: Fired) -> None:
        request, observers = schedule.request, self._shift.seams.observers
        if not due.fire:
            self._tell_skipped(schedule, due, "missed")
            return
        if not fired.created:
            if fired.suffix != suffix_of(schedule.name, due.moment):
                self._tell_skipped(schedule, due, "overlap")
            return  # else what was known of the schedule had been lost, not its job
        labels = self._labels(schedule)
        late = max(0, fired.now - due.moment) / 1000
        FIRED.inc(**labels)
        LATENESS.observe(late, **labels)
        job_id = f"{self._queue}.{fired.suffix}"
        observers.emit(JobEnqueued(job_id, request.job, self._queue, request.tenant, duplicate=False))
        observers.emit(
            ScheduleFired(
                schedule=schedule.name,
                id=job_id,
                job=request.job,
                queue=self._queue,
                moment=due.moment / 1000,
                late=late,
                missed=due.missed,
            )
        )

    def _catch_up_telling(self, schedule: Schedule, standing: Standing, now: int) -> None:
        """Tell of what was done though nobody heard the store say so."""
        due = self._unanswered.pop(schedule.name, None)
        if due is not None and (standing.last, standing.by) == (due.moment, self._shift.worker):
            own = standing.job == suffix_of(schedule.name, due.moment)
            self._tell(schedule, due, Fired("fired", now, standing.job, own))

    def _tell_full(self, schedule: Schedule, due: Due) -> None:
        if self._held_up.get(schedule.name) != due.moment:
            self._held_up[schedule.name] = due.moment
            self._tell_skipped(schedule, due, "full")

    def _tell_skipped(self, schedule: Schedule, due: Due, reason: str) -> None:
        SKIPPED.inc(**self._labels(schedule), reason=reason)
        self._shift.seams.observers.emit(
            ScheduleSkipped(schedule.name, schedule.request.job, self._queue, due.moment / 1000, reason)
        )

    def _labels(self, schedule: Schedule) -> dict[str, str]:
        return {"queue": self._queue, "job": schedule.request.job, "module": schedule.module}


def _job(schedule: Schedule, moment: int, headers: Mapping[str, str]) -> NewJob:
    """The job of one moment. Its id follows from name and moment, so there is one of each."""
    request = schedule.request
    expires_in = 0 if request.expires_in is None else math.ceil(request.expires_in * 1000)
    said = {**headers, SCHEDULE: schedule.name, MOMENT: str(moment)}
    return NewJob(
        suffix=suffix_of(schedule.name, moment),
        body=encode_body(Body(request.job, request.args, said, request.user, expires_in)),
        priority=request.priority,
        tenant=quote_tenant(request.tenant),
        unique=request.unique_key,
    )
