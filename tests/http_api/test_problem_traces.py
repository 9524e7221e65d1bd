"""Whatever goes wrong, the answer names the trace that tells why."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import httpx
import pytest

from http_api.asking import bearer, book
from http_api.helpers import GOOD, Site, check_members, lines, served
from http_api.test_app import TRACE, Middleware
from http_api.test_batch import HEAD, chunk, connection, receive_until
from penstock.engine.errors import StoreFull, StoreRefused, StoreUnavailable
from penstock.engine.job_history import HistoryUnavailable
from penstock.http import HttpLimits, problems

Ask: TypeAlias = Callable[[Site], Awaitable[httpx.Response]]
JSON = {"Content-Type": "application/json"}
UNKNOWN = f"/v1/jobs/media.{'0' * 28}"


def get(path: str) -> Ask:
    return lambda site: site.http.get(path)


def post(body: Any, **headers: str) -> Ask:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda site: site.http.post("/v1/jobs", content=content, headers=JSON | headers)


def raising(error: Exception) -> Ask:
    """A submission that the store answers with `error`."""

    async def ask(site: Site) -> httpx.Response:
        async def submit(*args: Any) -> Any:
            raise error

        site.store.submit = submit  # type: ignore[method-assign, assignment]
        return await post(GOOD)(site)

    return ask


async def conflict(site: Site) -> httpx.Response:
    once = {"Idempotency-Key": "k"}
    await site.http.post("/v1/jobs", json=GOOD, headers=once)
    return await site.http.post(
        "/v1/jobs", json={"job": "images.anything"} | {"queue": "media"}, headers=once
    )


async def cancelled_twice(site: Site) -> httpx.Response:
    path = f"/v1/jobs/{(await site.submit())['id']}/cancel"
    await site.http.post(path)
    return await site.http.post(path)


async def unplugged(site: Site) -> httpx.Response:
    site.store.plugged = False
    return await post(GOOD)(site)


async def not_ready(site: Site) -> httpx.Response:
    async def ping() -> None:
        raise StoreUnavailable("it is away")

    site.store.ping = ping  # type: ignore[method-assign]
    return await site.http.get("/readyz")


async def not_durable(site: Site) -> httpx.Response:
    site.store.syncs = False
    return await post(GOOD | {"durable": True})(site)


async def full(site: Site) -> httpx.Response:
    await site.submit()
    return await post(GOOD)(site)


async def left_hanging(site: Site, sent: bytes, end: bytes) -> httpx.Response:
    """The answer to a request that stops in its middle."""
    async with connection(site) as stream:
        await stream.send_all(sent)
        head, _, body = (await receive_until(stream, end)).partition(b"\r\n\r\n")
    lines = [line for line in body.splitlines() if line.startswith(b"{")]
    found = re.search(rb"HTTP/1.1 (\d+).*content-type: (\S+)", head, re.DOTALL | re.IGNORECASE)
    assert found is not None
    headers = {"Content-Type": found[2].decode()}
    return httpx.Response(int(found[1]), headers=headers, content=b"\n".join(lines))


async def stalled(site: Site) -> httpx.Response:
    head = HEAD.replace(b"/batch", b"").replace(b"x-ndjson", b"json")
    return await left_hanging(site, head + chunk(b"{"), b"}")


async def stalled_batch(site: Site) -> httpx.Response:
    return await left_hanging(site, HEAD + chunk(lines(GOOD)), b"0\r\n\r\n")


def batch(body: Any) -> Ask:
    return lambda site: site.http.post(
        "/v1/jobs/batch", content=body, headers={"Content-Type": "application/x-ndjson"}
    )


async def failures_of_a_queue_that_cannot_be(site: Site) -> httpx.Response:
    return await site.http.get("/v1/failures?queue=N")


class AwayHistory:
    """Its database does not answer."""

    async def search(self, search: Any) -> Any:
        raise HistoryUnavailable("secret")

    async def read(self, job_id: str) -> Any:
        raise HistoryUnavailable("secret")


async def history_away(site: Site) -> httpx.Response:
    return await site.http.get("/v1/history")


async def unauthenticated(site: Site) -> httpx.Response:
    return await site.http.get("/")


async def forbidden(site: Site) -> httpx.Response:
    return await site.http.get("/v1/queues", headers=bearer("powerless"))


CASES: list[tuple[int, str, Ask]] = [
    (400, "malformed-json", post(b"{")),
    (401, "unauthenticated", unauthenticated),
    (403, "forbidden", forbidden),
    (404, "", get("/nowhere")),
    (404, "job-not-found", get(UNKNOWN)),
    (404, "no-metrics", get("/metrics")),
    (404, "schedule-not-found", lambda site: site.http.post("/v1/schedules/nobody.knows/pause")),
    (405, "", get("/v1/jobs")),
    (408, "", stalled),
    (409, "conflict", conflict),
    (409, "already-ended", cancelled_twice),
    (413, "payload-too-large", post(b'"' + b"x" * 2_000_000 + b'"')),
    (415, "unsupported-media-type", post(b"{}", **{"Content-Type": "text/plain"})),
    (422, "invalid-request", post({"job": "images.thumbnail", "priority": 99})),
    (422, "unknown-job", post({"job": "no.such"})),
    (422, "invalid-arguments", post({"job": "images.thumbnail"})),
    (422, "no-history", get("/v1/history")),
    (422, "invalid-request", failures_of_a_queue_that_cannot_be),
    (429, "queue-full", full),
    (429, "store-full", raising(StoreFull("no room"))),
    (500, "internal", raising(ZeroDivisionError("secret"))),
    (500, "store-refused", raising(StoreRefused("secret"))),
    (503, "store-unavailable", unplugged),
    (503, "history-unavailable", history_away),
    (503, "not-ready", not_ready),
    (503, "not-durable", not_durable),
]
IN_A_BATCH: list[tuple[int, str, Ask]] = [
    (400, "malformed-json", batch(b"{\n")),
    (408, "stalled", stalled_batch),
    (413, "payload-too-large", batch(b'"' + b"x" * 2_000_000 + b'"')),
    (422, "unknown-job", batch(lines({"job": "no.such"}))),
    (422, "invalid-arguments", batch(lines({"job": "images.thumbnail"}))),
]


def name(case: Any) -> str | None:
    return str(case) if isinstance(case, int | str) else None


async def asked(ask: Ask) -> httpx.Response:
    """The answer of a site behind a middleware that traces."""
    history = AwayHistory() if ask is history_away else None
    tokens = book().find if ask in (unauthenticated, forbidden) else None
    site = Site(max_waiting=1, limits=HttpLimits(patience=0.05), history=history, tokens=tokens)
    async with served(site, Middleware(site.app)):
        return await ask(site)


@pytest.mark.parametrize(("status", "slug", "ask"), CASES, ids=name)
async def test_every_problem_names_its_trace(status: int, slug: str, ask: Ask) -> None:
    """Also where nothing of ours has run, as for a path that leads nowhere."""
    response = await asked(ask)
    assert response.headers["Content-Type"] == "application/problem+json"
    kind = f"urn:penstock:problem:{slug}" if slug else "about:blank"
    check_members(response.json(), status, type=kind, trace_id=TRACE)


@pytest.mark.parametrize(("status", "slug", "ask"), IN_A_BATCH, ids=name)
async def test_every_problem_of_a_line_names_its_trace(status: int, slug: str, ask: Ask) -> None:
    """The last line of the answer: the status was sent long before."""
    response = await asked(ask)
    assert response.status_code == 200
    problem = json.loads(response.text.splitlines()[-1])["error"]
    check_members(problem, status, type=f"urn:penstock:problem:{slug}", trace_id=TRACE)


def test_every_kind_of_problem_is_tried_here() -> None:
    """A new one needs a case above."""
    kinds = {kind.slug for kind in vars(problems).values() if isinstance(kind, problems.Kind)}
    kinds |= {kind.slug for kind in problems._ENGINE.values()}
    assert kinds == {slug for _, slug, _ in (*CASES, *IN_A_BATCH) if slug}
