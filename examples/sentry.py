"""Failures forwarded to Sentry: a module with a hook that sends each dead letter.

    pip install sentry-sdk
    SENTRY_DSN=https://… penstock dev examples.sentry:shop
    penstock submit shop.charge order=7 --wait

What Sentry gets beside the exception leads back here: the job's id, the trace to look for in Jaeger, and our
fingerprint, so that both sides count alike.
"""

import importlib
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Protocol, cast

from penstock.engine import JobContext, Module
from penstock.engine.events import AttemptFailed

shop = Module("shop")


@shop.job(retries=2)
async def charge(ctx: JobContext, order: int) -> None:
    """Fail, every time."""
    raise LookupError(f"order {order} has no price")


@shop.on_failure
def forward(report: AttemptFailed) -> None:
    """Send a failure that is final; one that is tried again may still end well."""
    if not report.final:
        return
    attempt, error, sentry = report.attempt, report.error, sentry_sdk()
    with sentry.new_scope() as scope:
        scope.fingerprint = [error.fingerprint]
        scope.set_tag("job", attempt.job)
        scope.set_tag("queue", attempt.queue)
        scope.set_tag("trace_id", error.trace_id or "")
        scope.set_context("job", {"id": attempt.id, "attempt": attempt.number, "worker": attempt.worker})
        if attempt.user is not None:
            scope.set_user({"id": attempt.user})
        sentry.capture_exception(report.exception)  # queued: a thread of the SDK's sends it


class Scope(Protocol):
    """What is used of a Sentry scope."""

    fingerprint: list[str] | None

    def set_tag(self, key: str, value: Any) -> None: ...
    def set_context(self, key: str, value: dict[str, Any]) -> None: ...
    def set_user(self, value: dict[str, Any] | None) -> None: ...


class Sentry(Protocol):
    """What is used of `sentry_sdk`, version 2; your own code imports it as usual."""

    def init(self, *, include_local_variables: bool) -> object: ...
    def new_scope(self) -> AbstractContextManager[Scope]: ...
    def capture_exception(self, error: BaseException) -> str | None: ...


@cache
def sentry_sdk() -> Sentry:
    """The SDK, set up when the first failure is sent; SENTRY_DSN says where to."""
    sdk = cast(Sentry, importlib.import_module("sentry_sdk"))
    sdk.init(include_local_variables=False)  # they hold whatever the handler had in hand
    return sdk
