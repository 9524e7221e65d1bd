"""One batch of rows on its way to the broker: take, send, finish.

**Each job is submitted once by its id, whenever a relay dies.** A row stays until its job is known to be in
the broker; the broker knows a job that it has again by its id. Between any two lines:

| dies                    | then                                                                         |
|-------------------------|------------------------------------------------------------------------------|
| before `take` commits   | nothing happened                                                             |
| after it                | rows carry when they were sent (`sent_ms`): after the silence others send    |
| while sending           | the broker has some of them, or all: others send all, and those are known    |
| after sending           | the same                                                                     |
| while `finish` commits  | it is done or not; not done is the line above                                |
| after it                | nothing is left to do                                                        |

The broker knows a job only as long as it keeps its record: for `result_ttl` after it has ended. So a row that
was sent longer ago than that, and of which the broker has no record, is **in doubt**: either it was never
stored, or it ran long ago. It is set aside for somebody to decide, and not sent. And a relay that stood still
sends nothing that it took longer ago than the silence, because others may have moved it. What is left is one
that stands still exactly between that look at the clock and the sending, for as long as records are kept.
"""

import os
import random
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import trio
from sqlalchemy import Row

from penstock.engine.client import Client
from penstock.engine.errors import PenstockError, StoreRefused, StoreUnavailable
from penstock.engine.limits import RESULT_TTL
from penstock.engine.names import split_job_id
from penstock.engine.operation import Operation
from penstock.engine.request import Receipt, Request
from penstock.engine.seams import Seams
from penstock.engine.sql_outbox.batch import Batch
from penstock.engine.sql_outbox.database import Ask, Database
from penstock.engine.sql_outbox.facts import RowsSetAside, Tell
from penstock.engine.sql_outbox.rests import Rests
from penstock.engine.sql_outbox.rows import Malformed, request_of
from penstock.engine.sql_outbox.settings import OutboxSettings
from penstock.engine.sql_outbox.spans import BREATH, Continue, Sendings, moving
from penstock.engine.store import Store

SKEW = 30.0
"""Seconds by which the clocks of relays and of the broker may differ where a record's age is judged."""

KeptFor = Callable[[str], float]
"""For how many seconds the broker keeps the record of a job of that name after its end, at least."""


class Sending(NamedTuple):
    """One row and the request that it holds."""

    row: Row[Any]
    request: Request


class Mover:
    """Moves rows of one outbox to one broker."""

    def __init__(
        self,
        settings: OutboxSettings,
        store: Store,
        seams: Seams,
        *,
        tell: Tell,
        continued: Continue,
        kept_for: KeptFor,
        max_waiting: int,
    ) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{random.getrandbits(48):012x}"
        self._settings = settings
        self._store = store
        self._seams = seams
        # Without `around_submit`: what is sent has its trace, and the span of its submission, already.
        self._client = Client(store, Seams(seams.observers), max_waiting=max_waiting)
        self._rests = Rests(tell)
        self._tell = tell
        self._continued = continued
        self._kept_for = kept_for

    async def move(self, database: Database) -> bool:
        """Move a batch; whether there was anything to move.

        Cancelled, it leaves rows taken, which others have after the silence. Raises `OutboxUnavailable` and
        `OutboxRefused`; what the broker does not take rests in the table.
        """
        now = _now()
        stale = now - round(self._settings.silence * 1000)
        ask = Ask(self.name, now, stale, self._settings.batch, self._rests.resting)
        if not await database.waits(ask):
            return False
        operation = moving()
        with self._seams.around_operation(operation):
            rows = await database.take(ask)
            operation.attributes["messaging.batch.message_count"] = len(rows)
            batch = Batch()
            await self._send(rows, now, batch)
            await database.finish(self.name, batch.finish())
        self._conclude(batch)
        return bool(rows)

    async def _send(self, rows: Sequence[Row[Any]], taken: int, batch: Batch) -> None:
        sure: list[Sending] = []
        for number, row in enumerate(rows, 1):
            if number % BREATH == 0:
                await trio.lowlevel.checkpoint()
            sending = _read(row, taken, batch)
            if sending is None:
                continue
            if self._is_known_by_id(sending, taken):
                sure.append(sending)
            else:
                await self._look_for(sending, batch)
        if _now() - taken >= self._settings.silence * 1000:  # we stood still: they are others' by now
            batch.give_back(sending.row for sending in sure)
        elif sure:
            await self._submit(sure, batch)

    def _is_known_by_id(self, sending: Sending, now: int) -> bool:
        """Whether the broker would know this job again, had it been stored by an earlier sending."""
        sent = sending.row.sent_ms
        if sent is None:
            return True
        kept = min(self._kept_for(sending.request.job), RESULT_TTL)  # so long, where it was cancelled in line
        return bool(now - sent < (kept - SKEW) * 1000)

    async def _look_for(self, sending: Sending, batch: Batch) -> None:
        """See to a row that was sent so long ago that only a record can tell that it was stored."""
        row, request = sending
        if request.queue in batch.troubles:
            batch.give_back([row])
            return
        try:
            record = await self._store.read(*split_job_id(row.id))
        except (StoreUnavailable, StoreRefused) as error:
            batch.failed(row, request.queue, error)
            return
        if record is not None:
            batch.moved(row, "submitted")
            return
        age = (_now() - row.sent_ms) / 1000
        batch.set_aside(
            row,
            "in_doubt",
            f"it was sent {age:.0f} s ago, and no record tells whether it was stored then and has ended",
        )

    async def _submit(self, sendings: Sequence[Sending], batch: Batch) -> None:
        requests = [sending.request for sending in sendings]
        async with Sendings(self._seams, self._continued, requests) as operations:
            outcomes: Sequence[Receipt | PenstockError] = []
            with trio.move_on_after(self._settings.silence / 3) as patience:
                outcomes = await self._client.submit_each(requests)
            if patience.cancelled_caught:
                away = StoreUnavailable(f"the broker has not answered for {self._settings.silence / 3:g} s")
                outcomes = [away] * len(requests)
            for sending, operation, outcome in zip(sendings, operations, outcomes, strict=True):
                _judge(sending, operation, outcome, batch)

    def _conclude(self, batch: Batch) -> None:
        """Tell of it, now that it is committed."""
        batch.count()
        for queue, error in batch.troubles.items():
            self._rests.failed(queue, error)
        for queue in batch.served - batch.troubles.keys():
            self._rests.succeeded(queue)
        if batch.examples:
            self._tell(RowsSetAside(len(batch.examples), batch.examples[-1]))


def _read(row: Row[Any], now: int, batch: Batch) -> Sending | None:
    try:
        return Sending(row, request_of(row, now / 1000))
    except Malformed as error:
        batch.set_aside(row, "malformed", str(error))
        return None


def _judge(sending: Sending, operation: Operation, outcome: Receipt | PenstockError, batch: Batch) -> None:
    row, request = sending
    if isinstance(outcome, PenstockError):
        kind = type(outcome)
        operation.error_type = f"{kind.__module__}.{kind.__qualname__}"
        batch.failed(row, request.queue, outcome)
    elif outcome.conflict:
        key = request.idempotency_key
        batch.set_aside(row, "conflict", f"the idempotency key {key!r} was used for another submission")
    else:
        batch.moved(row, "submitted" if outcome.id == request.id else "duplicate")


def _now() -> int:
    return time.time_ns() // 1_000_000
