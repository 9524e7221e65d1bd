"""The sorts of spans that Penstock makes: names, kinds and the attributes that many have in common.

Names follow the messaging conventions 1.44, `{operation} {destination}`. Each sort is put together and
encoded once; the hot path looks it up.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from penstock.engine.attempt import Attempt
from penstock.engine.operation import Kind, Operation
from penstock.engine.outcome import Succeeded, outcome_name
from penstock.engine.request import Request
from penstock.telemetry.traces import attributes as names
from penstock.telemetry.traces.sort import Sort

SYSTEM = "penstock"
SUCCEEDED = outcome_name(Succeeded(msgspec.Raw()))
_MOST = 4_096
"""Sorts of one kind kept; tenants and users can be many, and what is forgotten is made again."""


_KINDS: Mapping[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class Plain(NamedTuple):
    """The sorts of the two spans of an attempt that succeeded, as bytes."""

    wait: bytes
    process: bytes


Made = TypeVar("Made", Sort, Plain)


class Cache(dict[Hashable, Made]):
    """Sorts by what tells them apart."""

    def get_or_make(self, key: Hashable, make: Callable[..., Made], *given: Any) -> Made:
        """The sort under `key`, made by `make(*given)` the first time."""
        sort = self.get(key)
        if sort is None:
            if len(self) >= _MOST:
                self.clear()
            sort = self[key] = make(*given)
        return sort


class Sorts:
    """All of one process."""

    def __init__(self) -> None:
        self._process, self._wait, self._attempt = Cache[Sort](), Cache[Sort](), Cache[Sort]()
        self._enqueue, self._actions, self._steps = Cache[Sort](), Cache[Sort](), Cache[Sort]()
        self._operations, self._plain = Cache[Sort](), Cache[Plain]()

    def process(self, attempt: Attempt) -> Sort:
        """The handler's run."""
        return self._process.get_or_make(_what_tells_apart(attempt), _process, attempt)

    def wait(self, attempt: Attempt) -> Sort:
        """The time between due and started."""
        return self._wait.get_or_make((attempt.job, attempt.queue, attempt.number), _wait, attempt)

    def plain(self, attempt: Attempt) -> Plain:
        """Both for one that succeeded."""
        return self._plain.get_or_make(_what_tells_apart(attempt), self._make_plain, attempt)

    def attempt(self, attempt: Attempt) -> Sort:
        """The root of an attempt that is a trace of its own."""
        return self._attempt.get_or_make((attempt.job, attempt.queue, attempt.number), _attempt, attempt)

    def enqueue(self, requests: Sequence[Request]) -> Sort:
        """A submission to one queue."""
        jobs = {request.job for request in requests}
        job = jobs.pop() if len(jobs) == 1 else None
        return self._enqueue.get_or_make((requests[0].queue, job), _enqueue, requests[0].queue, job)

    def step(self, name: str) -> Sort:
        """A part of a request's or a job's work."""
        return self._steps.get_or_make(name, Sort, name, SpanKind.INTERNAL, {})

    def operation(self, operation: Operation) -> Sort:
        """What others are asked to do; a name and a kind, what else there is to say is each one's own."""
        name, kind = operation.name, operation.kind
        return self._operations.get_or_make((name, kind), Sort, name, _KINDS[kind], {})

    def action(self, name: str, queue: str) -> Sort:
        """Something that the worker itself does to a queue."""
        return self._actions.get_or_make((name, queue), _action, name, queue)

    def _make_plain(self, attempt: Attempt) -> Plain:
        process = self.process(attempt).having(names.PENSTOCK_OUTCOME, SUCCEEDED)
        return Plain(self.wait(attempt).encoded, process.encoded)


def _what_tells_apart(attempt: Attempt) -> Hashable:
    """All that the attributes of a `process` span are made of, but the id."""
    return (
        attempt.job, attempt.queue, attempt.worker, attempt.number, attempt.priority, attempt.tenant,
        attempt.user, attempt.crashes, attempt.max_attempts,
    )  # fmt: skip


def _operation(name: str, kind: str, queue: str) -> dict[str, AttributeValue]:
    return {
        names.MESSAGING_SYSTEM: SYSTEM,
        names.MESSAGING_OPERATION_NAME: name,
        names.MESSAGING_OPERATION_TYPE: kind,
        names.MESSAGING_DESTINATION_NAME: queue,
    }


def _process(attempt: Attempt) -> Sort:
    attributes = _operation("process", "process", attempt.queue) | {
        names.MESSAGING_CLIENT_ID: attempt.worker,
        names.PENSTOCK_JOB: attempt.job,
        names.PENSTOCK_MODULE: attempt.module,
        names.PENSTOCK_ATTEMPT: attempt.number,
        names.PENSTOCK_MAX_ATTEMPTS: attempt.max_attempts,
        names.PENSTOCK_PRIORITY: attempt.priority,
    }
    if attempt.tenant is not None:
        attributes[names.PENSTOCK_TENANT] = attempt.tenant
    if attempt.user is not None:
        attributes[names.PENSTOCK_USER] = attempt.user
    if attempt.crashes:
        attributes[names.PENSTOCK_CRASHES] = attempt.crashes
    return Sort(f"process {attempt.queue}", SpanKind.CONSUMER, attributes)


def _about(attempt: Attempt) -> dict[str, AttributeValue]:
    return {
        names.MESSAGING_SYSTEM: SYSTEM,
        names.MESSAGING_DESTINATION_NAME: attempt.queue,
        names.PENSTOCK_JOB: attempt.job,
        names.PENSTOCK_ATTEMPT: attempt.number,
    }


def _wait(attempt: Attempt) -> Sort:
    return Sort(f"wait {attempt.queue}", SpanKind.INTERNAL, _about(attempt))


def _attempt(attempt: Attempt) -> Sort:
    return Sort(f"attempt {attempt.queue}", SpanKind.INTERNAL, _about(attempt))


def _enqueue(queue: str, job: str | None) -> Sort:
    attributes = _operation("enqueue", "send", queue)
    if job is not None:
        attributes[names.PENSTOCK_JOB] = job
    return Sort(f"enqueue {queue}", SpanKind.PRODUCER, attributes)


def _action(name: str, queue: str) -> Sort:
    if name == "settle":
        return Sort(f"settle {queue}", SpanKind.CLIENT, _operation("settle", "settle", queue))
    attributes = {names.MESSAGING_SYSTEM: SYSTEM, names.MESSAGING_DESTINATION_NAME: queue}
    return Sort(f"{name} {queue}", SpanKind.INTERNAL, attributes)
