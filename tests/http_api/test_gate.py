"""Who is let in: 401 without a valid token, 403 for what it does not allow, and nothing told to strangers."""

import hashlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from http_api.asking import SECRETS, bearer, book, token
from http_api.helpers import GOOD, Site, check_problem, served
from http_api.test_app import TRACE, Middleware
from penstock.engine.metric import Metric
from penstock.http.gate import Gate
from penstock.http.metrics import REFUSALS
from penstock.http.problems import Refused
from penstock.http.routes import ROUTES, Route
from penstock.http.token_book import TokenBook
from penstock.http.tokens import ANYBODY

UNAUTHENTICATED = "urn:penstock:problem:unauthenticated"
FORBIDDEN = "urn:penstock:problem:forbidden"
JOB = f"media.{'0' * 28}"
HEALTH = {"alive", "ready"}


@pytest.fixture
async def guarded() -> AsyncGenerator[Site]:
    """A site that asks for tokens, behind a middleware that traces."""
    site = Site(tokens=book().find)
    async with served(site, Middleware(site.app)):
        yield site


async def ask(site: Site, route: Route, **headers: str) -> Any:
    path = route.path.replace("{id}", JOB).replace("{name}", "images.nightly")
    return await site.http.request(route.method, path, headers=headers)


def test_each_route_says_what_a_token_must_allow() -> None:
    """Only health is open, and only the contract and the index are for any token whatever it allows."""
    assert {route.name for route in ROUTES if route.open} == HEALTH
    assert {route.name for route in ROUTES if not route.open and route.scope is None} == {
        "contract",
        "index",
    }


async def test_without_a_token_nothing_but_health_is_answered(guarded: Site) -> None:
    """401 with a challenge and the trace; a path that leads nowhere looks the same to strangers."""
    for route in ROUTES:
        response = await ask(guarded, route)
        if route.name in HEALTH:
            assert response.status_code == 200
            continue
        check_problem(response, 401, type=UNAUTHENTICATED, trace_id=TRACE)
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="penstock"'
    check_problem(await guarded.http.get("/nowhere"), 401, type=UNAUTHENTICATED)
    check_problem(await guarded.http.put("/v1/jobs"), 401, type=UNAUTHENTICATED)
    assert await guarded.store.queues() == []


@pytest.mark.parametrize(
    "header",
    [
        "Bearer wrong",
        "Bearer",
        "",
        SECRETS["all"],
        f"Basic {SECRETS['all']}",
        f"Bearer {SECRETS['all']} {SECRETS['all']}",
        f"Bearer {'x' * 5_000}",
        "Bearer p\xe4nstock",
    ],
)
async def test_a_wrong_token_is_refused(guarded: Site, header: str) -> None:
    """Whatever is wrong with it, in the same words; none of them is its own."""
    headers = [(b"Authorization", header.encode("latin-1"))]
    response = await guarded.http.get("/v1/failures", headers=headers)
    problem = check_problem(response, 401, type=UNAUTHENTICATED, detail="this token is not known here")
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert "instance" in problem


async def test_two_tokens_are_none(guarded: Site) -> None:
    """Somebody in between may have looked at the other one."""
    headers = [("Authorization", f"Bearer {SECRETS[name]}") for name in ("all", "reader")]
    check_problem(await guarded.http.get("/v1/failures", headers=headers), 401, type=UNAUTHENTICATED)


async def test_the_scheme_is_read_in_any_case(guarded: Site) -> None:
    """As RFC 9110 has it."""
    response = await guarded.http.get("/", headers={"Authorization": f"bEARER  {SECRETS['reader']}"})
    assert response.status_code == 200


async def test_a_scope_allows_its_routes_and_no_others(guarded: Site) -> None:
    """403 names the scope that is missing; whatever else is wrong with the request, it was let in."""
    for scope, name in (("submit", "submitter"), ("read", "reader"), ("operate", "operator")):
        for route in ROUTES:
            response = await ask(guarded, route, **bearer(name))
            if route.scope in (None, scope):
                assert response.status_code not in (401, 403), (route.name, response.text)
            else:
                problem = check_problem(response, 403, type=FORBIDDEN, trace_id=TRACE)
                assert f"scope {route.scope}" in problem["detail"]
                assert f'scope="{route.scope}"' in response.headers["WWW-Authenticate"]


async def test_what_is_about_all_tenants_needs_a_token_for_all(guarded: Site) -> None:
    """Queues, failures and metrics; jobs and history are cut to the tenant's own instead."""
    refused: set[str] = set()
    for route in ROUTES:
        response = await ask(guarded, route, **bearer("acme"))
        if response.status_code == 403:
            assert "all tenants" in check_problem(response, 403, type=FORBIDDEN)["detail"]
            refused.add(route.name)
    assert refused == {route.name for route in ROUTES if route.whole}
    assert refused >= {"queues", "failures", "metrics"}


async def test_a_token_with_no_scope_is_still_let_in(guarded: Site) -> None:
    """To the contract, the index, and the applications of modules."""
    for path, status in (("/", 200), ("/openapi.json", 200), ("/nowhere", 404), ("/v1/queues", 403)):
        assert (await guarded.http.get(path, headers=bearer("powerless"))).status_code == status


def test_a_token_ends_at_its_time() -> None:
    """To the second, by the clock of the process; it is said that it has expired, to who has it."""
    end = datetime(2027, 1, 1, tzinfo=UTC)
    find = TokenBook([token("ann", expires=end)]).find
    scope: dict[str, Any] = {"headers": [(b"authorization", bearer("ann")["Authorization"].encode())]}
    assert Gate(find, lambda: end.timestamp() - 1).admit(scope).name == "ann"
    with pytest.raises(Refused, match="expired") as raised:
        Gate(find, end.timestamp).admit(scope)
    assert 'error="invalid_token"' in raised.value.headers["WWW-Authenticate"]


def test_overlong_headers_are_not_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong token costs a microsecond, whatever its length."""
    hashed: list[int] = []

    def sha256(data: bytes) -> Any:
        hashed.append(len(data))
        return hashlib.sha256(data)

    gate = Gate(book().find)
    monkeypatch.setattr("penstock.http.token_book.hashlib", SimpleNamespace(sha256=sha256))
    for length in (10, 400, 10_000, 1_000_000):
        with pytest.raises(Refused):
            gate.admit({"headers": [(b"authorization", b"Bearer " + b"x" * length)]})
    assert hashed == [10, 400]


def test_without_tokens_everybody_may_do_everything() -> None:
    """And nobody's identity is noted but what requests name."""
    scope: dict[str, Any] = {"headers": []}
    for route in (None, *ROUTES):
        Gate().check(scope, route)
    assert Gate().admit(scope) is ANYBODY
    assert not any(key.startswith("penstock.") for key in scope)


async def test_refusals_are_counted_by_reason(guarded: Site) -> None:
    """So that somebody who tries tokens is seen."""
    told = list[tuple[Any, ...]]()
    metric: Metric = REFUSALS
    drop = metric.bind(lambda change, labels, number: told.append(labels))
    try:
        await guarded.http.get("/")
        await guarded.http.get("/", headers={"Authorization": "Bearer x"})
        await guarded.http.get("/v1/queues", headers=bearer("powerless"))
        await guarded.http.get("/v1/queues", headers=bearer("acme"))
        await guarded.http.post("/v1/jobs", json=GOOD | {"tenant": "x"}, headers=bearer("acme"))
        await guarded.http.post("/v1/jobs", json=GOOD | {"user": "bob"}, headers=bearer("ann"))
        await guarded.http.post("/v1/jobs", json=GOOD | {"priority": 4}, headers=bearer("modest"))
    finally:
        drop()
    assert [reason for (reason,) in told] == [
        "missing",
        "unknown",
        "scope",
        "tenant",
        "tenant",
        "user",
        "priority",
    ]
