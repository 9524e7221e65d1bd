"""A job that comes by itself: what is fired when, and what becomes of moments that nobody was there for."""

import hashlib
from collections.abc import Iterable
from typing import Literal, get_args

import msgspec

from penstock.engine.cron import Moments
from penstock.engine.errors import ConfigurationError
from penstock.engine.names import JOB_NAME
from penstock.engine.request import Request

Missed = Literal["latest", "all", "skip"]
"""What becomes of moments at which no worker was there: one job for the last of them, one for each (of the
last 24 hours), or none."""
MISSED_AFTER = 60_000
"""Milliseconds after which a moment counts as missed: time for a worker to be started again."""
CATCH_UP = 24 * 3600 * 1000
"""Milliseconds; `all` goes back no further, so that a week of silence is not answered by a flood."""
SHORTEST_CAUGHT_UP = 60.0
"""Seconds; `all` is for intervals that are not shorter, which makes 1,440 jobs at most."""


class Due(msgspec.Struct, frozen=True):
    """The next step of a schedule whose time has come."""

    moment: int
    fire: bool
    """Whether a job is stored for it, or it is passed over."""
    missed: bool
    """Whether moments before it, or it itself, go without a job."""


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored about a schedule for those who do not have its code."""

    job: str
    when: str
    timezone: str
    missed: Missed


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One job at the moments of one series; its arguments and options are fixed."""

    name: str
    """`module.name`; the job's own name unless it was given another."""
    module: str
    moments: Moments
    missed: Missed
    request: Request

    def check(self) -> None:
        """Raise `ConfigurationError` for a policy that there is not, or that does not suit its moments."""
        if self.missed not in get_args(Missed):
            raise ConfigurationError(
                f"schedule {self.name}: missed is {self.missed!r}, expected latest, all or skip"
            )
        first = self.moments.after(0)
        if self.missed == "all" and self.moments.after(first) - first < SHORTEST_CAUGHT_UP * 1000:
            raise ConfigurationError(
                f"schedule {self.name}: {self.moments.text} is too often to catch up with all that were "
                f'missed; missed="all" is for {SHORTEST_CAUGHT_UP:g} seconds and more'
            )

    @property
    def queue(self) -> str:
        """Where its jobs go; the workers of this queue fire it."""
        return self.request.queue

    def describe(self) -> Description:
        """What others are told of it."""
        moments = self.moments
        return Description(
            job=self.request.job, when=moments.text, timezone=moments.timezone, missed=self.missed
        )

    def due(self, last: int, now: int) -> Due | None:
        """What is to be done at `now` (ms) after everything up to `last` was; None while nothing is."""
        moments = self.moments
        first = moments.after(last)
        if first > now:
            return None
        if self.missed == "all":
            moment = moments.after(max(last, now - CATCH_UP))
            return Due(moment, fire=True, missed=moment > first) if moment <= now else None
        moment = first if moments.after(first) > now else moments.until(now)
        late = now - moment > MISSED_AFTER
        fire = self.missed == "latest" or not late
        return Due(moment, fire=fire, missed=moment > first or not fire)


def scheduled(
    name: str, module: str, moments: Moments, missed: Missed, overlap: bool, request: Request
) -> Schedule:
    """A schedule of `request`, checked; raises `ConfigurationError`.

    Without `overlap` its jobs share a unique key: while one of them has not ended, the next is none.
    """
    if JOB_NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f"{name!r} cannot name a schedule: expected module.name, like images.nightly"
        )
    if request.delay or request.run_at is not None or request.idempotency_key is not None:
        raise ConfigurationError(
            f"schedule {name}: its moments say when, and each is one job: no delay, run_at or idempotency_key"
        )
    unique = request.unique_key if overlap or request.unique_key else f"schedule:{name}"
    request = msgspec.structs.replace(request, unique_key=unique, schedule=name)
    schedule = Schedule(name=name, module=module, moments=moments, missed=missed, request=request)
    schedule.check()
    return schedule


def collect_schedules(schedules: Iterable[Schedule]) -> list[Schedule]:
    """All of an application, by name; raises `ConfigurationError` where two have one name."""
    found: dict[str, Schedule] = {}
    for schedule in schedules:
        if found.setdefault(schedule.name, schedule) is not schedule:
            raise ConfigurationError(f"schedule {schedule.name} is declared by two modules")
    return [found[name] for name in sorted(found)]


def suffix_of(name: str, moment: int) -> str:
    """The id of a schedule's job within its queue: the time first, as in other ids."""
    return f"{moment:012x}{hashlib.sha256(name.encode()).hexdigest()[:16]}"
