"""Running one claimed job: decode, call, judge. A short pipeline that ends in one `Outcome`."""

import inspect
import math
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import trio

from penstock.engine.attempt import Attempt
from penstock.engine.cancellation import cancellation_in, cancelled_here, is_failure
from penstock.engine.context import JobContext
from penstock.engine.errors import InvalidArguments, PayloadTooLarge
from penstock.engine.events import JobFinished, JobParked, JobStarted
from penstock.engine.failure import describe_trouble
from penstock.engine.failure_reports import FailureReports
from penstock.engine.fingerprint import type_name, unwrapped
from penstock.engine.handler_scope import HandlerScope
from penstock.engine.held import Held
from penstock.engine.job_definition import JobDefinition
from penstock.engine.limits import UNKNOWN_JOB_TTL
from penstock.engine.names import unquote_tenant
from penstock.engine.outcome import (
    Cancelled,
    Dead,
    Expired,
    Lost,
    Outcome,
    Released,
    Retry,
    Succeeded,
)
from penstock.engine.record import VERSION, Body, Header, Record, decode_body, decode_ending, parse_record
from penstock.engine.registry import Registry
from penstock.engine.resources import Resources
from penstock.engine.seams import Seams
from penstock.engine.signature import encode_result


class Finished(msgspec.Struct, frozen=True, gc=False):
    """An outcome with what its settlement needs to know. Times are milliseconds."""

    outcome: Outcome
    attempt: int
    """Attempts that have ended, this one included."""
    started: int
    header: Header | None
    definition: JobDefinition[..., Any] | None
    ran: Attempt | None = None
    """Where a handler was called, or nearly."""
    job: str = ""
    """Its name, where there is no definition."""


class Runner:
    """Runs jobs of one registry under a worker's name."""

    def __init__(self, registry: Registry, seams: Seams, *, rng: random.Random | None = None) -> None:
        self._registry = registry
        self._seams = seams
        self._reports = FailureReports(registry, seams)
        self.resources = Resources()
        """What jobs may ask for, while the worker runs."""
        # Consumers bound the threads in use. One abandoned after a timeout must hold up nobody.
        self._threads = trio.CapacityLimiter(math.inf)
        self._rng = rng if rng is not None else random.Random()

    async def run(self, held: Held, worker: str, handlers: HandlerScope) -> Finished:
        """Run one job to its outcome.

        Cancellation from outside passes through after the attempt was reported as lost.
        """
        started = time.time_ns() // 1_000_000
        try:
            record = parse_record(held.claimed.raw)
            body = decode_body(record.body) if record.header.version <= VERSION else None
        except (ValueError, msgspec.DecodeError) as error:
            why = describe_trouble(type_name(error), str(error), worker=worker, place=held.queue)
            return Finished(Dead("undecodable record", error=why), 0, started, None, None)
        header = record.header
        definition = self._registry.get(body.job) if body is not None else None
        if body is None or definition is None:
            outcome = self._unknown(held, header, body, worker)
            job = body.job if body is not None else ""
            return Finished(outcome, header.attempt, started, header, None, job=job)
        if body.expires_in and held.now >= header.submitted + body.expires_in:
            return Finished(Expired(), header.attempt, started, header, definition)
        if held.reason in ("shutdown", "lost"):  # while it waited in the buffer: it has not started
            untouched = Released("shutdown") if held.reason == "shutdown" else Lost()
            return Finished(untouched, header.attempt, started, header, definition)
        attempt = _attempt(held, record, body, definition, worker)
        outcome = await self._attempt(held, attempt, body, definition, handlers)
        return Finished(outcome, header.attempt + 1, started, header, definition, attempt)

    def _unknown(self, held: Held, header: Header, body: Body | None, worker: str) -> Outcome:
        """Offer a job that this worker does not know to others; bury it when nobody took it for long."""
        name = body.job if body is not None else ""
        if body is not None and held.now - header.due > UNKNOWN_JOB_TTL * 1000:
            reason = f"no worker knew the job {name} for {UNKNOWN_JOB_TTL:.0f} s"
            error = describe_trouble("penstock.UnknownJob", reason, worker=worker, place=name)
            return Dead(reason, error=error)
        why = "newer_record" if body is None else "unknown_job"
        job_id = f"{held.queue}.{held.claimed.suffix}"
        self._seams.observers.emit(JobParked(job_id, name, held.queue, why))
        return Released(why)

    async def _attempt(
        self,
        held: Held,
        attempt: Attempt,
        body: Body,
        definition: JobDefinition[..., Any],
        handlers: HandlerScope,
    ) -> Outcome:
        """Report the attempt around its call; every start has one finish, cancellation included."""
        seams = self._seams
        emit = seams.observers.emit
        scope = seams.enter(attempt)
        try:
            emit(JobStarted(attempt))
            began = time.perf_counter()
            try:
                attempt.outcome = await self._call(held, attempt, body, definition, handlers)
            finally:
                # Cancelled from outside where there is none: the lease is lost, or the worker stops at once.
                if attempt.outcome is None:
                    attempt.outcome = Lost()
                emit(JobFinished(attempt, time.perf_counter() - began))
            if not isinstance(attempt.outcome, Succeeded):
                self._reports.tell(attempt, attempt.outcome)
        except BaseException as error:
            seams.leave(scope, error)
            raise
        seams.leave(scope, None)
        return attempt.outcome

    async def _call(
        self,
        held: Held,
        attempt: Attempt,
        body: Body,
        definition: JobDefinition[..., Any],
        handlers: HandlerScope,
    ) -> Outcome:
        try:
            arguments = definition.signature.unpack(body.args)
        except InvalidArguments as error:
            return self._reports.dead(attempt, definition, error)
        if held.reason is not None:  # cancelled while it waited in the buffer
            return self._stopped(held, attempt, definition)
        handlers.begin(held, definition.policy.timeout)
        try:
            context = _context(attempt, self.resources)
            result = await self._invoke(context, arguments, definition)
        except BaseException as error:
            return self._raised(error, held, attempt, definition, handlers)
        finally:
            handlers.end(held)
        return self._succeeded(attempt, definition, result)

    def _raised(
        self,
        error: BaseException,
        held: Held,
        attempt: Attempt,
        definition: JobDefinition[..., Any],
        handlers: HandlerScope,
    ) -> Outcome:
        """Judge what came out of a handler; raises what is not its to answer for."""
        if isinstance(error, Dead):
            return self._reports.dead(attempt, definition, error)
        if cancelled_here() and (cancellation := cancellation_in(error)) is not None:
            if handlers.absorb(cancellation):
                return self._stopped(held, attempt, definition)
            raise cancellation from None
        if not is_failure(error):  # KeyboardInterrupt
            raise error
        if held.reason is not None:  # the handler turned its cancellation into an error
            return self._stopped(held, attempt, definition)
        return self._again(attempt, definition, error)

    def _invoke(
        self, context: JobContext, arguments: dict[str, Any], definition: JobDefinition[..., Any]
    ) -> Awaitable[object]:
        """Call the handler; what it returns is awaited by the caller, without a coroutine in between."""
        if definition.signature.needs:
            arguments |= self.resources.pick(definition.signature.needs, definition.module)
        if definition.is_async:
            handled: Awaitable[object] = definition.function(context, **arguments)
            return handled
        return self._in_thread(context.job, partial(definition.function, context, **arguments))

    async def _in_thread(self, job: str, call: Callable[[], Any]) -> object:
        # A thread cannot be cancelled: after a timeout it is left to end on its own, its result unused.
        result = await trio.to_thread.run_sync(
            call, abandon_on_cancel=True, limiter=self._threads, thread_name=job
        )
        return await result if inspect.isawaitable(result) else result

    def _stopped(self, held: Held, attempt: Attempt, definition: JobDefinition[..., Any]) -> Outcome:
        """Judge a call that its own scope cancelled."""
        if held.reason == "cancelled":
            return Cancelled()
        if held.reason == "shutdown":
            return Released("shutdown")
        if held.reason == "lost":
            return Lost()
        late = TimeoutError(f"ran longer than {definition.policy.timeout:g} s")
        return self._again(attempt, definition, late)

    def _again(self, attempt: Attempt, definition: JobDefinition[..., Any], error: BaseException) -> Outcome:
        """Another attempt where the policy has one left, a dead letter otherwise."""
        said = unwrapped(error)  # a nursery wraps what its children raise
        if isinstance(said, Dead) or attempt.number >= attempt.max_attempts:
            return self._reports.dead(attempt, definition, error)
        delay = said.delay if isinstance(said, Retry) else None
        if delay is None:
            delay = definition.policy.backoff.delay(attempt.number, self._rng)
        return self._reports.retry(attempt, definition, error, delay)

    def _succeeded(self, attempt: Attempt, definition: JobDefinition[..., Any], result: object) -> Outcome:
        try:
            return Succeeded(encode_result(attempt.job, result))
        except (InvalidArguments, PayloadTooLarge) as error:  # running it again would end the same way
            return self._reports.dead(attempt, definition, error)


def _context(attempt: Attempt, resources: Resources) -> JobContext:
    return JobContext(
        id=attempt.id,
        job=attempt.job,
        module=attempt.module,
        queue=attempt.queue,
        attempt=attempt.number,
        max_attempts=attempt.max_attempts,
        tenant=attempt.tenant,
        user=attempt.user,
        worker=attempt.worker,
        headers=attempt.headers,
        submitted_at=attempt.submitted,
        resources=resources,
    )


def _attempt(
    held: Held, record: Record, body: Body, definition: JobDefinition[..., Any], worker: str
) -> Attempt:
    header = record.header
    held.began = trio.current_time()
    # In the order of its fields: with names it would take 1.4 µs more, once a job.
    return Attempt(
        f"{held.queue}.{held.claimed.suffix}",
        body.job,
        definition.module,
        held.queue,
        header.attempt + 1,
        definition.policy.retries + 1,
        header.priority,
        unquote_tenant(header.tenant),
        body.user,
        body.headers,
        header.submitted / 1000,
        header.due / 1000,
        held.now / 1000,
        worker,
        max(0.0, (held.now - header.due) / 1000) + held.began - held.since,
        definition.signature.logged(body.args) if definition.signature.marked else None,
        header.crashes,
        _previous(record) if header.attempt else None,
    )


def _previous(record: Record) -> str | None:
    """The span of the attempt that failed before, where it left one."""
    try:
        error = decode_ending(record.ending).error
    except msgspec.DecodeError:
        return None
    return error.traceparent or None if error is not None else None
