"""The application around the jobs: health, metrics, contract, errors of routing, word for the middleware."""

import logging
from typing import Any

import pytest
import trio

from http_api.helpers import GOOD, Site, check_problem, served
from penstock.http import HttpLimits
from penstock.http.routes import ROUTES

TRACE = "0af7651916cd43dd8448eb211c80319c"


async def test_liveness_does_not_depend_on_the_store(site: Site) -> None:
    """A restart would not mend the store."""
    site.store.plugged = False
    assert (await site.http.get("/healthz")).status_code == 200


async def test_readiness_is_that_the_store_answers(site: Site) -> None:
    """503 with the reason while it does not, 200 when it does again."""
    assert (await site.http.get("/readyz")).status_code == 200
    site.store.plugged = False
    response = await site.http.get("/readyz")
    assert response.status_code == 503
    assert "plug is out" in response.json()["detail"]
    site.store.plugged = True
    assert (await site.http.get("/readyz")).status_code == 200


async def test_readiness_is_bounded_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that hangs makes this process not ready instead of making the probe hang."""
    async with served(Site(limits=HttpLimits(ping=0.01))) as site:
        monkeypatch.setattr(site.store, "ping", trio.sleep_forever)
        assert "0.01 s" in check_problem(await site.http.get("/readyz"), 503)["detail"]


async def test_readiness_asks_the_owner() -> None:
    """A process that drains says so before anything is asked of the store."""
    async with served(Site(ready=lambda: False)) as site:
        assert "draining" in check_problem(await site.http.get("/readyz"), 503)["detail"]


async def test_metrics_are_rendered_for_what_the_scraper_accepts() -> None:
    """The injected renderer sees the `Accept` header and names the content type."""

    async def render(accept: str) -> tuple[bytes, str]:
        return f"# {accept}\n".encode(), "application/openmetrics-text; version=1.0.0; charset=utf-8"

    async with served(Site(metrics=render)) as site:
        response = await site.http.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert response.text == "# application/openmetrics-text\n"
    assert response.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"


async def test_without_a_renderer_there_are_no_metrics(site: Site) -> None:
    """404, and the detail says why."""
    check_problem(await site.http.get("/metrics"), 404, type="urn:penstock:problem:no-metrics")


async def test_the_index_names_every_route(site: Site) -> None:
    """So does the table they are made from."""
    index = (await site.http.get("/")).json()
    assert set(index["penstock"]) == {f"{route.method} {route.path}" for route in ROUTES}


async def test_what_is_not_there_is_a_problem(site: Site) -> None:
    """404 like every other error; the path is quoted."""
    check_problem(await site.http.get("/v1/no%20where"), 404, type="about:blank")


async def test_a_method_that_is_not_possible_is_a_problem(site: Site) -> None:
    """405 says what is possible, in words and in `Allow`."""
    response = await site.http.get("/v1/jobs")
    assert "POST" in check_problem(response, 405)["detail"]
    assert "POST" in response.headers["Allow"]


async def test_an_unforeseen_error_tells_nothing_and_is_logged(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with a generic detail; the log has the traceback."""

    async def fail(job_id: str) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(site.client, "get", fail)
    with caplog.at_level(logging.ERROR, logger="penstock.http"):
        check_problem(
            await site.http.get(f"/v1/jobs/a.{'0' * 28}"), 500, type="urn:penstock:problem:internal"
        )
    assert "secret" in caplog.text


# --- word for the middleware ----------------------------------------------------------------


class Middleware:
    """Like telemetry's: makes a trace id, and reads the scope when the app has run."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        scope["penstock.trace_id"] = TRACE
        await self._app(scope, receive, send)
        if scope["type"] == "http":
            self.scopes.append({key: value for key, value in scope.items() if key.startswith("penstock.")})


async def test_the_scope_says_route_job_tenant_and_user() -> None:
    """A submission and a look at it, as the middleware sees them."""
    site = Site()
    middleware = Middleware(site.app)
    async with served(site, middleware):
        receipt = await site.submit(tenant="acme", user="ann")
        await site.http.get(f"/v1/jobs/{receipt['id']}")
        await site.http.get("/nowhere")
    common = {"penstock.trace_id": TRACE}
    known = common | {"penstock.job_id": receipt["id"], "penstock.tenant": "acme", "penstock.user": "ann"}
    assert middleware.scopes == [
        known | {"penstock.route": "/v1/jobs"},
        known | {"penstock.route": "/v1/jobs/{id}"},
        common,
    ]


async def test_problems_carry_the_trace_id_of_the_middleware() -> None:
    """Whoever gets an error can name the trace it belongs to; lines of a batch as well."""
    site = Site()
    async with served(site, Middleware(site.app)):
        response = await site.http.post("/v1/jobs", json={"job": "no.such"})
        check_problem(response, 422, trace_id=TRACE)
        check_problem(await site.http.get("/nowhere"), 404, trace_id=TRACE)
        (result,) = await site.batch(b"{}")
    assert result["error"]["trace_id"] == TRACE


# --- the client's life ----------------------------------------------------------------------


async def test_the_lifespan_enters_and_leaves_the_client() -> None:
    """Waiting needs an entered client, which serving alone provides."""
    site = Site()
    async with served(site):
        receipt = await site.submit()
        response = await site.http.get(f"/v1/jobs/{receipt['id']}/wait?timeout=0")
        assert response.status_code == 200
    assert site.client._tasks is None


async def test_the_owner_may_keep_the_client() -> None:
    """With `enter_client=False` the app uses a client that is open already and leaves it open."""
    site = Site(enter_client=False)
    async with site.client:
        async with served(site):
            assert (await site.http.post("/v1/jobs", json=GOOD)).status_code == 202
        assert site.client._tasks is not None
