"""Everything Penstock says in its logs, in one place: the words and the levels for facts.

A line about a job carries the job's ids because it is written inside its scope (`scope.py`); only
what the fact adds is passed here. Arguments and results of jobs are never logged.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from structlog.typing import FilteringBoundLogger

from penstock.engine.events import (
    CircuitClosed,
    CircuitOpened,
    Event,
    EventSetAside,
    JobEnqueued,
    JobParked,
    JobsPromoted,
    JobsReleased,
    LeaseLost,
    LoopCrashed,
    ObserverFailed,
    ScheduleFired,
    ScheduleSkipped,
    Settled,
    SettlementRefused,
    StoreDown,
    StoreUp,
    WorkerDraining,
    WorkersReaped,
    WorkerStarted,
    WorkerStopped,
)
from penstock.engine.outcome import (
    Cancelled,
    Dead,
    Expired,
    Lost,
    Outcome,
    Released,
    Retry,
    Succeeded,
    outcome_name,
)
from penstock.telemetry.facts import RequestServed
from penstock.telemetry.ledger import JobsToTell, Told
from penstock.telemetry.logs.lines import Around
from penstock.telemetry.logs.plain_ending import PlainEndings
from penstock.telemetry.logs.setup import Teller


class LogObserver:
    """Writes the line for each fact."""

    def __init__(self, log: FilteringBoundLogger, teller: Teller) -> None:
        self._log = log
        self._teller = teller
        level, _ = _ENDINGS[Succeeded]
        self._plain = PlainEndings(partial(teller.render, level), teller.hide)
        self._parked: set[str] = set()  # names of jobs that were warned of
        told: dict[type[Any], Callable[[Any], None]] = {
            JobsToTell: self._about_jobs,
            JobParked: self._job_parked,
            RequestServed: self._request_served,
            SettlementRefused: self._settlement_refused,
            LeaseLost: self._lease_lost,
            JobsReleased: self._jobs_released,
            WorkersReaped: self._workers_reaped,
            ScheduleFired: self._schedule_fired,
            ScheduleSkipped: self._schedule_skipped,
            WorkerStarted: self._worker_started,
            WorkerDraining: self._worker_draining,
            WorkerStopped: self._worker_stopped,
            StoreDown: self._store_down,
            StoreUp: self._store_up,
            LoopCrashed: self._loop_crashed,
            EventSetAside: self._event_set_aside,
            CircuitOpened: self._circuit_opened,
            CircuitClosed: self._circuit_closed,
            ObserverFailed: self._observer_failed,
        }
        if log.is_enabled_for(
            logging.DEBUG
        ):  # they come with every job, so that even to ask later would cost
            told[JobEnqueued] = self._job_enqueued
            told[Settled] = self._settled
            told[JobsPromoted] = self._jobs_promoted
        self._told = told
        self.hears = frozenset(told)
        self._starts = log.is_enabled_for(logging.DEBUG)
        self._ends = {
            kind: ending
            for kind, ending in _ENDINGS.items()
            if log.is_enabled_for(logging.getLevelNamesMapping()[ending.level.upper()])
        }

    def __call__(self, event: Event | RequestServed | JobsToTell) -> None:
        self._told[type(event)](event)

    def _job_enqueued(self, event: JobEnqueued) -> None:
        self._log.debug(
            "job enqueued",
            job_id=event.id,
            job=event.job,
            queue=event.queue,
            duplicate=event.duplicate,
            **_given(tenant_id=event.tenant),
        )

    def _about_jobs(self, batch: JobsToTell) -> None:
        lines: list[bytes] = []
        for told in batch.entries:
            if told.begins and self._starts:
                said = {"event": "job started", "waited": _seconds(told.attempt.waited)}
                self._say(lines, "debug", said, Around(told.scope.fields, None, told.started))
            if told.ended:
                self._ended(told, lines)
        self._teller.write(self._teller.hide_all(lines))

    def _ended(self, told: Told, lines: list[bytes]) -> None:
        outcome = type(told.attempt.outcome)
        ending = self._ends.get(outcome)
        if ending is None:
            return
        plain = outcome is Succeeded and not self._teller.captured
        line = self._plain.line(told) if plain else None
        if line is not None:
            lines.append(line)
        else:
            said = _how(told, ending.words)
            self._say(lines, ending.level, said, Around(told.scope.fields, told.bound, told.ended))

    def _say(self, lines: list[bytes], level: str, said: dict[str, Any], around: Around) -> None:
        if self._teller.captured:
            self._teller.capture(level, said, around)
        else:
            lines.append(self._teller.render(level, said, around))

    def _job_parked(self, event: JobParked) -> None:
        """A warning the first time for each name; the job comes again every few seconds."""
        write = self._log.debug if event.job in self._parked else self._log.warning
        self._parked.add(event.job)
        write(
            "job parked, this worker does not know it",
            job_id=event.id,
            job=event.job,
            queue=event.queue,
            reason=event.reason,
        )

    def _request_served(self, event: RequestServed) -> None:
        write = self._log.debug if event.probe else self._log.info
        write(
            "request served",
            method=event.method,
            route=event.route,
            status=event.status,
            seconds=_seconds(event.seconds),
            **_given(tenant_id=event.tenant, user_id=event.user, job_id=event.job_id),
        )

    # --- the worker ------------------------------------------------------------------------

    def _worker_started(self, event: WorkerStarted) -> None:
        self._log.info(
            "worker started", worker=event.worker, queues=event.queues, concurrency=event.concurrency
        )

    def _worker_draining(self, event: WorkerDraining) -> None:
        self._log.info("worker draining", worker=event.worker, running=event.running, grace=event.grace)

    def _worker_stopped(self, event: WorkerStopped) -> None:
        self._log.info("worker stopped", worker=event.worker)

    def _lease_lost(self, event: LeaseLost) -> None:
        self._log.warning(
            "lease lost, cancelling its jobs", queue=event.queue, worker=event.worker, running=event.running
        )

    # --- a queue ---------------------------------------------------------------------------

    def _settled(self, event: Settled) -> None:
        self._log.debug(
            "settled",
            queue=event.queue,
            count=event.count,
            refused=event.refused,
            seconds=_seconds(event.seconds),
        )

    def _settlement_refused(self, event: SettlementRefused) -> None:
        self._log.warning(
            "settlement refused, it came too late", job_id=event.id, queue=event.queue, worker=event.worker
        )

    def _jobs_released(self, event: JobsReleased) -> None:
        self._log.info("jobs given back", queue=event.queue, count=event.count, reason=event.reason)

    def _jobs_promoted(self, event: JobsPromoted) -> None:
        self._log.debug("scheduled jobs are ready", queue=event.queue, count=event.count)

    def _workers_reaped(self, event: WorkersReaped) -> None:
        self._log.warning(
            "jobs of lost workers taken over",
            queue=event.queue,
            workers=event.revoked,
            returned=event.returned,
            dead=event.dead,
        )

    def _schedule_fired(self, event: ScheduleFired) -> None:
        """At `debug`: its job has lines of its own. One that has something to say of others is a warning."""
        write = self._log.warning if event.missed else self._log.debug
        write(
            "schedule fired, moments before were missed" if event.missed else "schedule fired",
            schedule=event.schedule,
            job_id=event.id,
            job=event.job,
            queue=event.queue,
            late=_seconds(event.late),
        )

    def _schedule_skipped(self, event: ScheduleSkipped) -> None:
        write = self._log.info if event.reason == "overlap" else self._log.warning
        write(
            _SKIPPED[event.reason],
            schedule=event.schedule,
            job=event.job,
            queue=event.queue,
            moment=datetime.fromtimestamp(event.moment, UTC).isoformat(),
        )

    # --- trouble ---------------------------------------------------------------------------

    def _store_down(self, event: StoreDown) -> None:
        self._log.warning("store unreachable, trying again", loop=event.loop, error=event.error)

    def _store_up(self, event: StoreUp) -> None:
        self._log.warning("store answers again", loop=event.loop, seconds=_seconds(event.seconds))

    def _loop_crashed(self, event: LoopCrashed) -> None:
        self._log.error(
            "worker loop crashed, starting it again",
            loop=event.loop,
            delay=event.delay,
            exc_info=event.error,
        )

    def _event_set_aside(self, event: EventSetAside) -> None:
        self._log.warning(
            "event set aside, its handler cannot take it",
            topic=event.topic,
            handler=event.handler,
            event_id=event.id,
            error=event.reason,
        )

    def _circuit_opened(self, event: CircuitOpened) -> None:
        self._log.warning(
            "host fails, leaving it alone for a while",
            host=event.host,
            failures=event.failures,
            delay=event.seconds,
        )

    def _circuit_closed(self, event: CircuitClosed) -> None:
        self._log.info("host answers again", host=event.host, failures=event.failures)

    def _observer_failed(self, event: ObserverFailed) -> None:
        self._log.warning("observer raised and was dropped", observer=event.observer, exc_info=event.error)


_SKIPPED = {
    "missed": "schedule's moments passed while nobody was there, skipping them",
    "overlap": "schedule skipped, its job of an earlier moment has not ended",
    "full": "schedule held up, there is no room for its job",
}


class _Ending(NamedTuple):
    level: str
    words: str


_ENDINGS: dict[type[Outcome | None], _Ending] = {
    Succeeded: _Ending("info", "job finished"),
    Retry: _Ending("warning", "job failed, another attempt follows"),
    Dead: _Ending("warning", "job failed and is a dead letter"),
    Cancelled: _Ending("info", "job cancelled while it ran"),
    Expired: _Ending("warning", "job expired before it could start"),
    Released: _Ending("info", "job given back unfinished"),
    Lost: _Ending("warning", "job interrupted with its worker, it will run again"),
    type(None): _Ending("error", "job ended without an outcome"),
}


def _how(told: Told, words: str) -> dict[str, Any]:
    """What the line of an ending says."""
    outcome, waited = told.attempt.outcome, _seconds(told.attempt.waited)
    name = None if outcome is None else outcome_name(outcome)
    how = {"event": words, "outcome": name, "seconds": _seconds(told.seconds), "waited": waited}
    return how if type(outcome) is Succeeded else {**how, **_why(outcome)}


def _why(outcome: Outcome | None) -> dict[str, object]:
    """What an ending says of itself; the traceback was bounded by the engine."""
    if isinstance(outcome, Released):
        return {"reason": outcome.reason}
    if not isinstance(outcome, (Retry, Dead)):
        return {}
    why: dict[str, object] = {"delay": outcome.delay} if isinstance(outcome, Retry) else {}
    error = outcome.error
    if error is None:  # the handler raised the outcome itself
        return {**why, "reason": outcome.reason}
    why |= {"error_type": error.type, "error": error.message}
    if error.fingerprint:
        why["fingerprint"] = error.fingerprint
    if error.traceback:
        why["exception"] = error.traceback
    return why


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}


def _seconds(value: float) -> float:
    return int(value * 1e6) / 1e6  # microseconds: below them is noise, and `round` takes twice as long
