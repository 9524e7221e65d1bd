"""Submitting many jobs in one request, answered line by line while it is still being read.

```
body ─► splitter ─► parsed lines ─► submit_many ─► results ─► client
        (lines.py)   (≤ a chunk)                    (a Pipe)
```

Lines are submitted with whatever else has come by then, so a slow stream is answered at once and a fast
one in full chunks. Reading runs in its own task: many clients send everything before they read
anything, and must not be waited for by the one who writes the results.
"""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import TypeAlias

import trio
from msgspec import UNSET
from quart import Response
from quart.wrappers.response import ResponseBody

from penstock.engine.client import Client
from penstock.engine.errors import (
    Conflict,
    InvalidRequest,
    NotDurable,
    PayloadTooLarge,
    PenstockError,
    StoreUnavailable,
)
from penstock.engine.limits import MAX_KEY
from penstock.engine.registry import Registry
from penstock.engine.request import Receipt, Request
from penstock.http.limits import HttpLimits
from penstock.http.lines import ArraySplitter, LineSplitter, Splitter
from penstock.http.pipe import BoundedRequest, Pipe, current_request, scope_of
from penstock.http.problems import STALLED, Problem, Refused, problem_of
from penstock.http.schemas import (
    JSON,
    NDJSON,
    BatchLine,
    Submission,
    check_length,
    check_media_type,
    encode_lines,
    parse_submission,
    too_large,
)
from penstock.http.steps import step
from penstock.http.tokens import asker_of

_Outcome: TypeAlias = Receipt | Problem


class BatchRoute:
    """The handler of `POST /v1/jobs/batch`."""

    def __init__(self, client: Client, registry: Registry, limits: HttpLimits) -> None:
        self._client = client
        self._registry = registry
        self._limits = limits

    async def submit(self) -> Response:
        """Check what can be known before the first line, then stream."""
        request = current_request()
        kind = check_media_type(request, NDJSON, JSON)
        check_length(request, self._limits.batch_body)
        key = _check_key(request.headers.get("Idempotency-Key"), self._limits)
        batch = Batch(self._client, self._registry, self._limits, request, key)
        splitter = LineSplitter if kind == NDJSON else ArraySplitter
        response = Response(Results(batch, splitter(self._limits.line)), content_type=NDJSON)
        response.timeout = None  # it takes as long as the client sends
        return response


def _check_key(key: str | None, limits: HttpLimits) -> str | None:
    room = MAX_KEY - len(f":{limits.batch_lines}")
    if key is not None and not 0 < len(key) <= room:
        raise InvalidRequest(f"a batch's Idempotency-Key has 1 to {room} characters", field="Idempotency-Key")
    return key


class Results(ResponseBody):
    """The response: whoever iterates over it has the batch run in a task beside."""

    def __init__(self, batch: "Batch", splitter: Splitter) -> None:
        self._batch = batch
        self._splitter = splitter
        self._running = trio.open_nursery()

    async def __aenter__(self) -> AsyncIterator[bytes]:
        nursery = await self._running.__aenter__()
        nursery.start_soon(self._batch.run, self._splitter)
        return self._batch.results

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.__aexit__(kind, error, trace)


class Batch:
    """One batch: every element gets one result, in order.

    `key` is the request's Idempotency-Key; line n then has the key `<key>:<n>`, so that the whole batch
    may be sent again.
    """

    def __init__(
        self, client: Client, registry: Registry, limits: HttpLimits, request: BoundedRequest, key: str | None
    ) -> None:
        self.results = Pipe(limits.unsent_results)
        self._client = client
        self._registry = registry
        self._limits = limits
        self._body = request.body
        self._scope = scope_of(request)
        self._asker = asker_of(self._scope)
        self._key = key
        self._gathered: list[tuple[int, bytes | Problem]] = []
        self._gathered_bytes = 0
        self._number = 0
        self._lost: Problem | None = None

    async def run(self, splitter: Splitter) -> None:
        """Take the body to its end, or to the fault that ends it, which becomes the last result."""
        try:
            await self._read(splitter)
        except Exception as error:  # the status has been sent: all that is left is to say it here
            self._gathered.append((self._number + 1, problem_of(error, self._scope)))
            await self._flush()
            await self._body.finish()
        self.results.close()

    async def _read(self, splitter: Splitter) -> None:
        received = 0
        while data := await self._receive():
            received += len(data)
            if received > self._limits.batch_body:
                raise too_large("the batch", self._limits.batch_body)
            for number, element in splitter.feed(data):
                await self._take(number, element)
            await self._flush()
        for number, element in splitter.end():
            await self._take(number, element)
        await self._flush()

    async def _receive(self) -> bytes:
        """The next piece of the body, empty at its end."""
        with trio.move_on_after(self._limits.patience):
            return await anext(self._body, b"")
        raise Refused(STALLED, f"nothing came for {self._limits.patience:g} seconds")

    async def _take(self, number: int, element: bytes | PayloadTooLarge) -> None:
        if number > self._limits.batch_lines:
            raise PayloadTooLarge(f"a batch has at most {self._limits.batch_lines} lines")
        self._number = number
        if isinstance(element, PayloadTooLarge):
            self._gathered.append((number, problem_of(element, self._scope)))
        else:
            self._gathered.append((number, element))
            self._gathered_bytes += len(element)
        if (
            len(self._gathered) >= self._limits.chunk_lines
            or self._gathered_bytes >= self._limits.chunk_bytes
        ):
            await self._flush()

    def _checked(self, gathered: list[tuple[int, bytes | Problem]]) -> list[tuple[int, Request | Problem]]:
        """Parse and validate; one bad line is that line's problem, whatever it is."""
        with step("parse", self._scope):
            parsed = [(number, self._parse(element)) for number, element in gathered]
        with step("validate", self._scope):
            return [(number, self._validate(number, entry)) for number, entry in parsed]

    def _parse(self, element: bytes | Problem) -> Submission | Problem:
        try:
            return element if isinstance(element, Problem) else parse_submission(element)
        except Exception as error:
            return problem_of(error, self._scope)

    def _validate(self, number: int, entry: Submission | Problem) -> Request | Problem:
        key = None if self._key is None else f"{self._key}:{number}"
        try:
            return entry if isinstance(entry, Problem) else entry.request(self._registry, key, self._asker)
        except Exception as error:
            return problem_of(error, self._scope)

    async def _flush(self) -> None:
        """Check and submit what has been gathered and write its results."""
        gathered, self._gathered, self._gathered_bytes = self._gathered, [], 0
        if not gathered:
            return
        checked = self._checked(gathered)
        receipts = iter(await self._submit([entry for _, entry in checked if isinstance(entry, Request)]))
        results: list[BatchLine] = []
        for number, entry in checked:
            results.append(_result(number, entry if isinstance(entry, Problem) else next(receipts)))
        self.results.append(encode_lines(results))
        await self.results.room()

    async def _submit(self, requests: list[Request]) -> list[_Outcome]:
        if not requests:
            return []
        if self._lost is not None:  # trying again and again would hold the client up for nothing
            return [self._lost] * len(requests)
        try:
            return [self._outcome(outcome) for outcome in await self._client.submit_each(requests)]
        except Exception as error:
            return [problem_of(error, self._scope)] * len(requests)

    def _outcome(self, outcome: Receipt | PenstockError) -> _Outcome:
        if isinstance(outcome, Receipt) and outcome.conflict:
            outcome = Conflict(
                f"line of another content was submitted under this key as {outcome.id}",
                field="Idempotency-Key",
            )
        if isinstance(outcome, Receipt):
            return outcome
        problem = problem_of(outcome, self._scope)
        if isinstance(outcome, StoreUnavailable) and not isinstance(outcome, NotDurable):
            self._lost = problem
        return problem


def _result(number: int, outcome: _Outcome) -> BatchLine:
    if isinstance(outcome, Problem):
        return BatchLine(line=number, error=outcome)
    return BatchLine(
        line=number,
        id=outcome.id,
        state=outcome.state,
        trace_id=outcome.trace_id,
        duplicate=outcome.duplicate or UNSET,
    )
