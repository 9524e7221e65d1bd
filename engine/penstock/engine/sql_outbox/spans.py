"""What a relay does with rows, as spans: one for each in the trace of its submission, one for all of them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from contextvars import Context, copy_context

import trio

from penstock.engine.operation import Headers, Operation
from penstock.engine.request import Request
from penstock.engine.seams import Seams
from penstock.engine.sql_outbox.schema import TABLE

Continue = Callable[[Headers], AbstractContextManager[object]]
"""Makes the trace that a row's headers hand on the current one for the length of the block."""

BREATH = 25
"""Spans after which others on the loop come in between: half a millisecond at 20 µs each."""


def moving() -> Operation:
    """Rows are moved to the broker; its statements hang below. The number of rows is added to it."""
    return Operation(name=f"move {TABLE.name}", attributes={"messaging.system": "penstock"})


class Sendings:
    """A span for each request while it is sent, each in a context of its own: none is another's parent."""

    def __init__(self, seams: Seams, continued: Continue, requests: Sequence[Request]) -> None:
        self._sent = [(_sending(request), request.headers or {}) for request in requests]
        self._seams = seams
        self._continued = continued
        self._entered: list[tuple[Context, ExitStack]] = []

    async def __aenter__(self) -> list[Operation]:
        """The operations, in the order of the requests; `error_type` may be set on each."""
        for number, (operation, headers) in enumerate(self._sent, 1):
            context, scopes = copy_context(), ExitStack()
            self._entered.append((context, scopes))
            context.run(scopes.enter_context, self._continued(headers))
            context.run(scopes.enter_context, self._seams.around_operation(operation))
            await self._breathe(number)
        return [operation for operation, _ in self._sent]

    async def __aexit__(self, *_: object) -> None:
        for number, (context, scopes) in enumerate(self._entered, 1):
            context.run(scopes.close)
            await self._breathe(number)

    async def _breathe(self, number: int) -> None:
        if number % BREATH == 0:
            await trio.lowlevel.cancel_shielded_checkpoint()  # or spans that have begun would never end


def _sending(request: Request) -> Operation:
    return Operation(
        name=f"send {request.queue}",
        kind="client",  # the trace's producer is the span of its submission: this one only carries
        attributes={
            "messaging.system": "penstock",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": request.queue,
            "messaging.message.id": request.id or "",
        },
    )
