"""Schedules: what comes by itself, when, and how it went last; steering it."""

from collections.abc import Sequence

import msgspec
from quart import Response

from penstock.engine.client import Client
from penstock.engine.errors import ScheduleNotFound
from penstock.engine.periodic_schedule import Description, Schedule
from penstock.engine.periodic_store import ORPHANED_AFTER, Attendance, Standing, Steering
from penstock.engine.registry import Registry
from penstock.http.schemas import Submitted, json_response, rfc3339


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule. Times are RFC 3339 in UTC, by the store's clock."""

    name: str
    queue: str
    job: str
    when: str
    """A cron expression or `every N s`, as declared."""
    timezone: str
    missed: str
    """What becomes of moments at which no worker was there: latest, all or skip."""
    status: str
    """`active`; `paused`; `orphaned`: no worker has declared it for an hour; `waiting`: none ever has."""
    next: str | None
    """When it is due next; null while it is paused or orphaned."""
    last: str | None
    """The last moment that was fired or passed over; null before the first."""
    last_job_id: str | None
    last_state: str | None
    """Of that job; null once its record is gone."""
    fired_by: str | None
    """The worker that was there last."""


class ScheduleList(msgspec.Struct, frozen=True, kw_only=True):
    """All schedules of all queues, by name."""

    schedules: list[ScheduleView]


class ScheduleRoutes:
    """The handlers of `/v1/schedules`. What the application here declares is known by its code."""

    def __init__(self, client: Client, registry: Registry) -> None:
        self._client = client
        self._book = client.store.schedules
        self._declared: Sequence[Schedule] = registry.schedules

    async def show(self) -> Response:
        """List them."""
        declared = {(one.queue, one.name): one for one in self._declared}
        views: list[ScheduleView] = []
        for queue in {*await self._client.store.queues(), *(one.queue for one in self._declared)}:
            attendance = await self._book.attend(queue)
            known = attendance.standings.keys() | {name for place, name in declared if place == queue}
            views += [
                await self._view(queue, name, declared.get((queue, name)), attendance) for name in known
            ]
        return json_response(ScheduleList(schedules=sorted(views, key=lambda view: (view.name, view.queue))))

    async def pause(self, name: str) -> Response:
        """Fire it no more until it is resumed."""
        return await self._steer(name, "pause")

    async def resume(self, name: str) -> Response:
        """Go on with the next moment."""
        return await self._steer(name, "resume")

    async def forget(self, name: str) -> Response:
        """Drop what is known of it: of one that is not declared any more, all there is."""
        return await self._steer(name, "forget")

    async def fire(self, name: str) -> Response:
        """Submit its job now, beside its moments."""
        schedule = next((one for one in self._declared if one.name == name), None)
        if schedule is None:
            raise ScheduleNotFound(
                f"no schedule {name[:200]!r} is declared in the application that runs here"
            )
        receipt = await self._client.submit_request(schedule.request)
        answer = Submitted(
            id=receipt.id,
            queue=receipt.queue,
            job=receipt.job,
            state=receipt.state,
            duplicate=receipt.duplicate,
            trace_id=receipt.trace_id,
        )
        return json_response(answer, 200 if receipt.duplicate else 202)

    async def _steer(self, name: str, what: Steering) -> Response:
        """In whatever queue it stands; it is one, unless two applications use a name."""
        found = False
        for queue in await self._client.store.queues():
            found |= await self._book.steer(queue, name, what) is not None
        if not found:
            raise ScheduleNotFound(f"no worker has ever declared a schedule {name[:200]!r}")
        return json_response({"name": name, "done": what})

    async def _view(
        self, queue: str, name: str, schedule: Schedule | None, attendance: Attendance
    ) -> ScheduleView:
        standing, now = attendance.standings.get(name), attendance.now
        said = schedule.describe() if schedule is not None else _description(standing)
        status = _status(standing, now)
        job = None
        if standing is not None and standing.job:
            job = await self._client.store.look(queue, standing.job)
        return ScheduleView(
            name=name,
            queue=queue,
            job=said.job,
            when=said.when,
            timezone=said.timezone,
            missed=said.missed,
            status=status,
            next=_time(_next(schedule, standing, now)) if status in ("active", "waiting") else None,
            last=_time(standing.last) if standing is not None and standing.by else None,
            last_job_id=f"{queue}.{standing.job}" if standing is not None and standing.job else None,
            last_state=None if job is None else job.state.value,
            fired_by=(standing.by or None) if standing is not None else None,
        )


def _description(standing: Standing | None) -> Description:
    return msgspec.json.decode(standing.text if standing is not None else b"", type=Description)


def _status(standing: Standing | None, now: int) -> str:
    if standing is None:
        return "waiting"
    if now - standing.seen >= ORPHANED_AFTER:
        return "orphaned"
    return "paused" if standing.paused else "active"


def _next(schedule: Schedule | None, standing: Standing | None, now: int) -> int:
    if schedule is None:
        return standing.next if standing is not None else now
    return schedule.moments.after(now if standing is None else max(standing.last, now))


def _time(milliseconds: int) -> str:
    return rfc3339(milliseconds / 1000)
