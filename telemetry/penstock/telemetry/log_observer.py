"""Everything Penstock says in its logs, in one place: the words and the levels for facts.

A line about a job carries the job's ids because it is written inside its scope (`scope.py`); only
what the fact adds is passed here. Arguments and results of jobs are never logged.
"""

from structlog.typing import FilteringBoundLogger

from penstock.engine.attempt import Attempt
from penstock.engine.events import (
    Event,
    JobEnqueued,
    JobFinished,
    JobParked,
    JobsPromoted,
    JobsReleased,
    JobStarted,
    LeaseLost,
    LoopCrashed,
    ObserverFailed,
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
    Released,
    Retry,
    Succeeded,
    outcome_name,
)
from penstock.telemetry.facts import RequestServed


class LogObserver:
    """Writes the line for each fact."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._parked: set[str] = set()  # names of jobs that were warned of

    def __call__(self, event: Event | RequestServed) -> None:
        match event:
            case JobStarted(attempt):
                self._log.debug("job started", waited=_seconds(attempt.waited))
            case JobFinished(attempt, seconds):
                self._job_finished(attempt, seconds)
            case JobEnqueued():
                self._job_enqueued(event)
            case RequestServed():
                self._request_served(event)
            case WorkerStarted() | WorkerDraining() | WorkerStopped() | JobsReleased() | LeaseLost():
                self._about_this_worker(event)
            case JobParked() | Settled() | SettlementRefused() | JobsPromoted() | WorkersReaped():
                self._about_a_queue(event)
            case StoreDown() | StoreUp() | LoopCrashed() | ObserverFailed():
                self._about_trouble(event)

    def _job_enqueued(self, event: JobEnqueued) -> None:
        self._log.debug(
            "job enqueued",
            job_id=event.id,
            job=event.job,
            queue=event.queue,
            duplicate=event.duplicate,
            **_given(tenant_id=event.tenant),
        )

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

    def _job_finished(  # noqa: C901 - one case per outcome
        self, attempt: Attempt, seconds: float
    ) -> None:
        outcome = attempt.outcome
        log = self._log
        how = _how(attempt, seconds)
        match outcome:
            case Succeeded():
                log.info("job finished", **how)
            case Retry():
                log.warning(
                    "job failed, another attempt follows", **how, delay=outcome.delay, **_why(outcome)
                )
            case Dead():
                log.warning("job failed and is a dead letter", **how, **_why(outcome))
            case Cancelled():
                log.info("job cancelled while it ran", **how)
            case Expired():
                log.warning("job expired before it could start", **how)
            case Released(reason):
                log.info("job given back unfinished", **how, reason=reason)
            case Lost():
                log.warning("job interrupted with its worker, it will run again", **how)
            case None:
                log.error("job ended without an outcome", **how)

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

    def _about_this_worker(
        self, event: WorkerStarted | WorkerDraining | WorkerStopped | JobsReleased | LeaseLost
    ) -> None:
        log = self._log
        match event:
            case WorkerStarted(worker, queues, concurrency):
                log.info("worker started", worker=worker, queues=queues, concurrency=concurrency)
            case WorkerDraining(worker, running, grace):
                log.info("worker draining", worker=worker, running=running, grace=grace)
            case WorkerStopped(worker):
                log.info("worker stopped", worker=worker)
            case JobsReleased(queue, count, reason):
                log.info("jobs given back", queue=queue, count=count, reason=reason)
            case LeaseLost(queue, worker, running):
                log.warning("lease lost, cancelling its jobs", queue=queue, worker=worker, running=running)

    def _about_a_queue(
        self, event: JobParked | Settled | SettlementRefused | JobsPromoted | WorkersReaped
    ) -> None:
        log = self._log
        match event:
            case JobParked():
                self._job_parked(event)
            case Settled(queue, count, refused, seconds):
                log.debug("settled", queue=queue, count=count, refused=refused, seconds=_seconds(seconds))
            case SettlementRefused(job_id, queue, worker):
                log.warning("settlement refused, it came too late", job_id=job_id, queue=queue, worker=worker)
            case JobsPromoted(queue, count):
                log.debug("scheduled jobs are ready", queue=queue, count=count)
            case WorkersReaped(queue, revoked, returned, dead):
                log.warning(
                    "jobs of lost workers taken over",
                    queue=queue,
                    workers=revoked,
                    returned=returned,
                    dead=dead,
                )

    def _about_trouble(self, event: StoreDown | StoreUp | LoopCrashed | ObserverFailed) -> None:
        log = self._log
        match event:
            case StoreDown(loop, error):
                log.warning("store unreachable, trying again", loop=loop, error=error)
            case StoreUp(loop, seconds):
                log.warning("store answers again", loop=loop, seconds=_seconds(seconds))
            case LoopCrashed(loop, error, delay):
                log.error("worker loop crashed, starting it again", loop=loop, delay=delay, exc_info=error)
            case ObserverFailed(observer, error):
                log.warning("observer raised and was dropped", observer=observer, exc_info=error)


def _how(attempt: Attempt, seconds: float) -> dict[str, object]:
    return {
        "outcome": None if attempt.outcome is None else outcome_name(attempt.outcome),
        "seconds": _seconds(seconds),
        "waited": _seconds(attempt.waited),
    }


def _why(outcome: Retry | Dead) -> dict[str, object]:
    """The fields that say why an attempt failed; the traceback was bounded by the engine."""
    error = outcome.error
    if error is None:  # the handler raised the outcome itself
        return {"reason": outcome.reason}
    why: dict[str, object] = {"error_type": error.type, "error": error.message}
    if error.traceback:
        why["exception"] = error.traceback
    return why


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}


def _seconds(value: float) -> float:
    return round(value, 6)  # microseconds: below them is noise
