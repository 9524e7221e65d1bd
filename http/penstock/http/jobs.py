"""Submitting, watching and ending one job."""

from math import isfinite

import trio
from quart import Response

from penstock.engine.client import Client
from penstock.engine.errors import InvalidRequest, JobNotFound
from penstock.engine.job import Job
from penstock.engine.registry import Registry
from penstock.http.limits import HttpLimits
from penstock.http.pipe import BoundedRequest, current_request, scope_of
from penstock.http.problems import ALREADY_ENDED, Refused
from penstock.http.schemas import (
    JSON,
    CancelView,
    Submission,
    check_job_id,
    check_media_type,
    json_response,
    parse_submission,
    read_body,
    view_job,
    view_receipt,
)
from penstock.http.steps import step
from penstock.http.tokens import ANYBODY, asker_of

DEFAULT_WAIT = 30.0


class JobRoutes:
    """The handlers of `/v1/jobs` and `/v1/jobs/{id}…`."""

    def __init__(self, client: Client, registry: Registry, limits: HttpLimits, draining: trio.Event) -> None:
        self._client = client
        self._registry = registry
        self._limits = limits
        self._draining = draining

    async def submit(self) -> Response:
        """Check one submission and answer when the store has acknowledged it."""
        request = current_request()
        with step("parse"):
            check_media_type(request, JSON)
            body = await read_body(request, self._limits.body, self._limits.patience)
            submission = parse_submission(body)
            _note_identity(request, submission)
        with step("validate"):
            key = request.headers.get("Idempotency-Key")
            job = submission.request(self._registry, key, asker_of(scope_of(request)))
        receipt = await self._client.submit_request(job)
        scope_of(request)["penstock.job_id"] = receipt.id
        return json_response(
            view_receipt(receipt),
            status=200 if receipt.duplicate else 202,
            headers={"Location": f"/v1/jobs/{receipt.id}"},
        )

    async def show(self, job_id: str) -> Response:
        """Look at one job."""
        return self._shown(await self._visible(_noted(job_id)), job_id)

    async def wait(self, job_id: str) -> Response:
        """Answer when the job has ended, the time is up or this process drains: the job as it is then."""
        timeout = self._timeout(current_request().args.get("timeout"))
        await self._check_visible(_noted(job_id))
        job: Job | None = None
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_after, self._draining, scope)
                job = await self._client.wait(job_id, timeout)
                nursery.cancel_scope.cancel()
        return self._shown(job or await self._client.get(job_id), job_id)

    async def cancel(self, job_id: str) -> Response:
        """End a waiting job, or ask its worker to stop it; 409 if it has ended already."""
        await self._check_visible(_noted(job_id))
        done = await self._client.cancel(job_id)
        if done.state.final and not done.changed:
            raise Refused(ALREADY_ENDED, f"job {job_id} is {done.state} and stays so")
        return json_response(CancelView(id=job_id, state=done.state, changed=done.changed))

    async def _visible(self, job_id: str) -> Job | None:
        """The job, if it exists for whoever asks."""
        job = await self._client.get(job_id)
        return job if job is not None and asker_of(scope_of(current_request())).sees(job.tenant) else None

    async def _check_visible(self, job_id: str) -> None:
        """Raise `JobNotFound` for jobs of other tenants than the token's, as if there were none."""
        if asker_of(scope_of(current_request())).tenant is not None and await self._visible(job_id) is None:
            raise _not_found(job_id)

    def _shown(self, job: Job | None, job_id: str) -> Response:
        if job is None:
            raise _not_found(job_id)
        _note_identity(current_request(), job)
        return json_response(view_job(job))

    def _timeout(self, text: str | None) -> float:
        try:
            timeout = min(DEFAULT_WAIT, self._limits.wait) if text is None else float(text)
        except ValueError:
            timeout = -1.0
        if not (isfinite(timeout) and 0 <= timeout <= self._limits.wait):
            raise InvalidRequest(
                f"timeout is {text!r:.100}: expected 0 to {self._limits.wait:g} seconds", field="timeout"
            )
        return timeout


async def _cancel_after(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


def _noted(job_id: str) -> str:
    """Check an id from a path and tell the middleware around this app which job it is about."""
    check_job_id(job_id)
    scope_of(current_request())["penstock.job_id"] = job_id
    return job_id


def _not_found(job_id: str) -> JobNotFound:
    return JobNotFound(f"no job {job_id}: it was never submitted, or its record has expired")


def _note_identity(request: BoundedRequest, of: Submission | Job) -> None:
    """Tell the middleware around this app on whose behalf the request is.

    What a token says stands. Whose job somebody with a token looks at is not who asked.
    """
    scope = scope_of(request)
    asker = asker_of(scope)
    if asker is ANYBODY or isinstance(of, Submission):
        scope["penstock.tenant"] = asker.tenant or of.tenant
        scope["penstock.user"] = asker.user or of.user
