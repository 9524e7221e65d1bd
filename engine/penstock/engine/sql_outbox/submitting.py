"""Submitting inside the application's own transaction: a row, and nothing else."""

import time
from collections.abc import Sequence
from typing import Any, ParamSpec, TypeVar

import msgspec
from sqlalchemy import Connection, insert
from sqlalchemy.orm import Session

from penstock.engine.job import trace_id_of
from penstock.engine.job_definition import JobDefinition
from penstock.engine.names import new_job_id
from penstock.engine.operation import Headers
from penstock.engine.request import Request, own_suffix
from penstock.engine.seams import Seams
from penstock.engine.sql_outbox.rows import row_of
from penstock.engine.sql_outbox.schema import TABLE

P = ParamSpec("P")
R = TypeVar("R")


class OutboxReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """A job that there will be once the transaction has committed."""

    id: str
    """The job's own from now on. With a `unique_key`, another job may come to stand for it."""
    queue: str
    job: str
    trace_id: str | None = None


class SqlOutbox:
    """Writes jobs into the table `penstock_outbox`, through connections that are the caller's.

    Nothing is opened, committed or closed here, and no broker is needed. Callable from any thread, and from
    asyncio by `await session.run_sync(outbox.submit, …)` of an `AsyncSession` or `AsyncConnection`.
    """

    def __init__(self, seams: Seams | None = None) -> None:
        """`seams` are telemetry's (`Telemetry.seams()`), so that the request's trace goes on in the job."""
        self._seams = seams if seams is not None else Seams()

    def submit(
        self, into: Connection | Session, job: JobDefinition[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> OutboxReceipt:
        """Submit one call of `job` in the transaction of `into`: it is there if that commits.

        Blocks as the connection does. Options are given by `job.using(…)`; delays and expiry count from now.

        Raises:
            InvalidArguments: before anything is written.
            sqlalchemy.exc.SQLAlchemyError: as it comes, because the transaction is the caller's to judge.
        """
        return self.submit_many(into, [job.request(*args, **kwargs)])[0]

    def submit_many(self, into: Connection | Session, requests: Sequence[Request]) -> list[OutboxReceipt]:
        """Submit checked requests (`job.request(…)`), one statement a queue; receipts in the same order.

        Those of one queue become jobs in this order. Raises as `submit`.
        """
        # In Python nobody stops an AsyncSession, and what it returns would never be awaited.
        if not isinstance(into, (Connection, Session)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{type(into).__name__} is no Connection or Session; of an asynchronous one: "
                "await session.run_sync(outbox.submit, …)"
            )
        receipts: dict[int, OutboxReceipt] = {}
        for queue, positions in _by_queue(requests).items():
            part = [requests[position] for position in positions]
            ids = [_id_of(request) for request in part]
            with self._seams.around_submit(part) as headers:
                into.execute(insert(TABLE), _rows(part, ids, headers))
            for position, request, job_id in zip(positions, part, ids, strict=True):
                receipts[position] = OutboxReceipt(
                    id=job_id, queue=queue, job=request.job, trace_id=trace_id_of(headers)
                )
        return [receipts[position] for position in range(len(requests))]


def _by_queue(requests: Sequence[Request]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = {}
    for position, request in enumerate(requests):
        positions.setdefault(request.queue, []).append(position)
    return positions


def _id_of(request: Request) -> str:
    suffix = own_suffix(request)
    return new_job_id(request.queue) if suffix is None else f"{request.queue}.{suffix}"


def _rows(requests: Sequence[Request], ids: Sequence[str], headers: Headers) -> list[dict[str, Any]]:
    now = time.time()
    return [row_of(request, job_id, headers, now) for request, job_id in zip(requests, ids, strict=True)]
