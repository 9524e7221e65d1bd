"""Submitting and watching jobs, from Trio or asyncio."""

import math
import random
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

import anyio
import anyio.abc

from penstock.engine.endings import Endings
from penstock.engine.errors import (
    Conflict,
    JobFailed,
    JobNotFound,
    NotDurable,
    PenstockError,
    StoreUnavailable,
)
from penstock.engine.events import JobEnqueued
from penstock.engine.job import Job, JobState, trace_id_of
from penstock.engine.job_definition import JobDefinition
from penstock.engine.limits import MAX_WAITING
from penstock.engine.names import new_job_id, quote_tenant, split_job_id
from penstock.engine.operation import Headers
from penstock.engine.record import Body, decode_body, encode_body
from penstock.engine.request import Receipt, Request, own_suffix
from penstock.engine.seams import Seams
from penstock.engine.store import SLICE, Cancellation, NewJob, Store, Submitted, Terms

P = ParamSpec("P")
R = TypeVar("R")

LOOK_AGAIN = 30.0
"""Seconds after which a waiter looks unasked: a tail that fell behind the stream's bound misses endings."""

ENOUGH = 2
"""Queues in a row that did not answer, after which a batch takes the whole store for away."""


class Client:
    """The submitting side of a store.

    `async with Client(store) as client:` owns the task that hears of endings for those who wait;
    submitting and looking need no `async with`. A queue that holds `max_waiting` ready jobs takes no more
    from here, and as many scheduled ones; 0 for no limit.
    """

    def __init__(self, store: Store, seams: Seams | None = None, *, max_waiting: int = MAX_WAITING) -> None:
        self.store = store
        self._max_waiting = max_waiting
        self.seams = seams if seams is not None else Seams()
        self._tasks: anyio.abc.TaskGroup | None = None
        self._endings: dict[str, Endings] = {}

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        tasks, self._tasks = self._tasks, None
        self._endings.clear()
        if tasks is None:
            return None
        tasks.cancel_scope.cancel()
        if isinstance(error, Exception):
            # An error of the block's own leaves it as it is, not wrapped in a group.
            await tasks.__aexit__(None, None, None)
            return None
        return await tasks.__aexit__(kind, error, trace)

    # --- submitting ----------------------------------------------------------------------

    async def submit(self, job: JobDefinition[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Submit one call of `job`; returns when the store has acknowledged it.

        Raises:
            InvalidArguments: before anything is stored.
            Conflict: the idempotency key was used for another job or other arguments.
            QueueFull, StoreFull: there is no room; nothing was stored.
            NotDurable: it is stored, but was to be `durable` or on replicas and is not known to be.
            StoreUnavailable: it may or may not be stored; with an idempotency key, send it again.
        """
        return await self.submit_request(job.request(*args, **kwargs))

    async def submit_request(self, request: Request) -> Receipt:
        """Submit one checked request; raises as `submit`."""
        [receipt] = await self.submit_many([request])
        if receipt.conflict:
            raise Conflict(
                f"the idempotency key {request.idempotency_key!r} was used for another submission, "
                f"{receipt.id}; use a new key for a new job",
                field="idempotency_key",
            )
        return receipt

    async def submit_many(self, requests: Sequence[Request]) -> list[Receipt]:
        """Submit checked requests in as few round trips as possible; receipts in the same order.

        A receipt with `conflict` tells of a request that was not stored. Raises the first error that
        `submit_each` would list; then a part of them may be stored.
        """
        receipts: list[Receipt] = []
        for outcome in await self.submit_each(requests):
            if isinstance(outcome, PenstockError):
                raise outcome
            receipts.append(outcome)
        return receipts

    async def submit_each(self, requests: Sequence[Request]) -> list[Receipt | PenstockError]:
        """Submit checked requests; in the same order each one's receipt, or why it has none.

        A queue takes up to `SLICE` jobs in one step, all of them or none. `QueueFull`, `StoreFull` and
        `StoreRefused` tell of requests that are not stored, `StoreUnavailable` of such that may be. A queue
        that did not answer is not asked again, and after two in a row no other is: the store is away.
        """
        outcomes: dict[int, Receipt | PenstockError] = {}
        silent: dict[str, StoreUnavailable] = {}  # queues whose server did not answer
        away: StoreUnavailable | None = None  # what the last of them came to, once enough did in a row
        in_a_row = 0
        for queue, terms, positions in self._steps(requests):
            try:
                if trouble := silent.get(queue, away):  # asking again would keep the caller for nothing
                    raise trouble
                answers = await self._submit_to(queue, terms, [requests[position] for position in positions])
                outcomes.update(zip(positions, answers, strict=True))
                in_a_row = 0
            except PenstockError as error:
                outcomes.update(dict.fromkeys(positions, error))
                if not isinstance(error, StoreUnavailable) or isinstance(error, NotDurable):
                    in_a_row = 0
                elif queue not in silent and away is None:
                    silent[queue] = error
                    in_a_row += 1
                    away = error if in_a_row >= ENOUGH else None
        return [outcomes[position] for position in range(len(requests))]

    def _steps(self, requests: Sequence[Request]) -> Iterator[tuple[str, Terms, list[int]]]:
        """The requests by queue and terms, as positions, in slices that one step of the store takes."""
        groups: dict[tuple[str, bool, int], list[int]] = {}
        for position, request in enumerate(requests):
            group = request.queue, request.durable, request.wait_replicas
            groups.setdefault(group, []).append(position)
        for (queue, disk, replicas), positions in groups.items():
            terms = Terms(most=self._max_waiting, disk=disk, replicas=replicas)
            for start in range(0, len(positions), SLICE):
                yield queue, terms, positions[start : start + SLICE]

    async def _submit_to(self, queue: str, terms: Terms, requests: list[Request]) -> list[Receipt]:
        with self.seams.around_submit(requests) as headers:
            jobs = [_new_job(request, dict(headers)) for request in requests]
            answers = await self.store.submit(queue, jobs, terms)
        receipts: list[Receipt] = []
        for request, answer in zip(requests, answers, strict=True):
            receipt = (
                _receipt(request, answer, headers)
                if answer.created
                else await self._existing(request, answer)
            )
            self.seams.observers.emit(
                JobEnqueued(receipt.id, request.job, queue, request.tenant, not answer.created)
            )
            receipts.append(receipt)
        return receipts

    async def _existing(self, request: Request, answer: Submitted) -> Receipt:
        """The receipt of a job that was there before; a conflict if its key stood for something else."""
        record = await self.store.read(request.queue, answer.suffix)
        body = decode_body(record.body) if record is not None else None
        conflict = (
            request.idempotency_key is not None
            and answer.suffix == own_suffix(request)
            and body is not None
            and (body.job, bytes(body.args)) != (request.job, bytes(request.args))
        )
        receipt = _receipt(request, answer, body.headers if body is not None else {})
        return Receipt(
            id=receipt.id,
            queue=receipt.queue,
            job=receipt.job if body is None else body.job,
            state=receipt.state,
            duplicate=True,
            conflict=conflict,
            trace_id=receipt.trace_id,
        )

    # --- watching ------------------------------------------------------------------------

    async def get(self, job_id: str) -> Job | None:
        """What is known of a job now; raises `InvalidRequest` for a malformed id."""
        return await self.store.look(*split_job_id(job_id))

    async def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """Wait until the job has ended, at most `timeout` seconds; the job as it is then, ended or not.

        Needs `async with`. Raises `JobNotFound`.
        """
        queue, suffix = split_job_id(job_id)
        endings = self._endings_of(queue)
        job: Job | None = None
        with anyio.move_on_after(timeout):
            while True:
                if endings.refused is not None:
                    raise endings.refused
                event = endings.watch(suffix)
                try:
                    job = await self._look(queue, suffix)
                    if job.state.final:
                        return job
                    with anyio.move_on_after(LOOK_AGAIN):
                        await event.wait()
                finally:
                    endings.unwatch(suffix, event)
        return job if job is not None else await self._look(queue, suffix)

    async def result(self, receipt: Receipt | str, timeout: float | None = None) -> Any:
        """Wait for the job's end and give its result.

        Raises:
            JobFailed: it ended without one; its message says how.
            TimeoutError: it has not ended within `timeout` seconds.
        """
        job_id = receipt if isinstance(receipt, str) else receipt.id
        job = await self.wait(job_id, timeout)
        if job.state is JobState.SUCCEEDED:
            return job.result
        if not job.state.final:
            raise TimeoutError(f"{job_id} is {job.state} after {timeout} s")
        reason = f": {job.error.type}: {job.error.message}" if job.error else ""
        raise JobFailed(f"{job.job} {job_id} is {job.state}{reason}", job=job)

    async def cancel(self, job_id: str) -> Cancellation:
        """End a waiting job, or ask the worker that runs it to stop; raises `JobNotFound`."""
        cancellation = await self.store.cancel(*split_job_id(job_id))
        if cancellation is None:
            raise JobNotFound(f"no job {job_id}: it was never submitted, or is past its retention")
        return cancellation

    async def _look(self, queue: str, suffix: str) -> Job:
        job = await self.store.look(queue, suffix)
        if job is None:
            raise JobNotFound(f"no job {queue}.{suffix}: it was never submitted, or is past its retention")
        return job

    def _endings_of(self, queue: str) -> Endings:
        if self._tasks is None:
            raise RuntimeError("waiting needs an entered client: `async with Client(store) as client:`")
        if queue not in self._endings:
            self._endings[queue] = Endings(self.store, queue)
            self._tasks.start_soon(self._endings[queue].run)
        return self._endings[queue]


def _new_job(request: Request, headers: dict[str, str]) -> NewJob:
    suffix = own_suffix(request)
    if request.headers is not None:
        headers = dict(request.headers)
    expires_in = 0 if request.expires_in is None else math.ceil(request.expires_in * 1000)
    sending = 0 if request.idempotency_key is None else random.getrandbits(63)
    return NewJob(
        suffix=suffix or new_job_id(request.queue).rpartition(".")[2],
        body=encode_body(Body(request.job, request.args, headers, request.user, expires_in, sending)),
        priority=request.priority,
        tenant=quote_tenant(request.tenant),
        due=None if request.run_at is None else round(request.run_at * 1000),
        delay=round(request.delay * 1000),
        unique=request.unique_key,
    )


def _receipt(request: Request, answer: Submitted, headers: Headers) -> Receipt:
    return Receipt(
        id=f"{request.queue}.{answer.suffix}",
        queue=request.queue,
        job=request.job,
        state=answer.state.value,
        trace_id=trace_id_of(headers if request.headers is None else request.headers),
    )
