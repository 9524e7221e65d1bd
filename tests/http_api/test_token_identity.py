"""Whose jobs a token submits, sees and ends."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import trio

from http_api.asking import bearer, book
from http_api.helpers import GOOD, WITHIN, Site, check_members, check_problem, lines, served
from http_api.test_app import Middleware
from penstock.engine.job import JobState
from penstock.engine.job_history import Page, PastJob, Search

FORBIDDEN = "urn:penstock:problem:forbidden"


class History:
    """Two finished jobs, one of acme and one of globex."""

    def __init__(self) -> None:
        self.asked: list[Search] = []

    async def search(self, search: Search) -> Page:
        self.asked.append(search)
        return Page([past(t) for t in ("acme", "globex") if search.tenant in (None, t)], None)

    async def read(self, job_id: str) -> PastJob | None:
        return next((past(t) for t in ("acme", "globex") if past(t).id == job_id), None)


def past(tenant: str) -> PastJob:
    return PastJob(
        id=f"media.{len(tenant):028x}",
        queue="media",
        job="images.thumbnail",
        module="images",
        state=JobState.SUCCEEDED,
        attempt=1,
        priority=0,
        tenant=tenant,
        user=None,
        submitted_at=1.0,
        started_at=2.0,
        ended_at=3.0,
        worker="w",
        trace_id=None,
        error=None,
        result=None,
    )


@pytest.fixture
async def site() -> AsyncGenerator[Site]:
    """A site that asks for tokens."""
    async with served(Site(tokens=book().find, history=History())) as site:
        yield site


async def submit(site: Site, name: str, **fields: Any) -> Any:
    response = await site.http.post("/v1/jobs", json=GOOD | fields, headers=bearer(name))
    assert response.status_code in (200, 202), response.text
    job = await site.client.get(response.json()["id"])
    assert job is not None
    return job


# --- submitting ---------------------------------------------------------------------------


async def test_a_job_is_the_tokens_tenants_and_users(site: Site) -> None:
    """Named or not; what the token leaves open the request says."""
    whose = [
        await submit(site, "ann"),
        await submit(site, "ann", tenant="acme", user="ann"),
        await submit(site, "acme", user="bob"),
        await submit(site, "all", tenant="globex", user="eve"),
        await submit(site, "all"),
    ]
    assert [(job.tenant, job.user) for job in whose] == [
        ("acme", "ann"),
        ("acme", "ann"),
        ("acme", "bob"),
        ("globex", "eve"),
        (None, None),
    ]


@pytest.mark.parametrize(("field", "value"), [("tenant", "globex"), ("user", "eve"), ("priority", 4)])
async def test_what_a_token_does_not_allow_is_not_submitted(site: Site, field: str, value: Any) -> None:
    """403 names the field; nothing is stored. In a batch that line alone."""
    name = "modest" if field == "priority" else "ann"
    body = GOOD | {field: value}
    response = await site.http.post("/v1/jobs", json=body, headers=bearer(name))
    check_problem(response, 403, type=FORBIDDEN, field=field)
    assert await site.store.queues() == []

    results = await site.batch(lines(GOOD, body, GOOD), **bearer(name))
    assert [("error" in result) for result in results] == [False, True, False]
    check_members(results[1]["error"], 403, type=FORBIDDEN, field=field)
    assert len(await site.jobs(results)) == 2


async def test_a_batch_is_the_tokens_tenants_and_users(site: Site) -> None:
    """Line by line, as single submissions."""
    results = await site.batch(lines(GOOD, GOOD | {"tenant": "acme"}), **bearer("ann"))
    assert {(job.tenant, job.user) for job in await site.jobs(results)} == {("acme", "ann")}


async def test_priority_is_bounded_by_the_token(site: Site) -> None:
    """A job that is declared beyond it runs at the token's; a priority that cannot be is wrong as ever."""

    urgent = site.registry.get("images.crop")
    assert urgent is not None
    urgent.policy = type(urgent.policy)(priority=9)
    try:
        crop = {"job": "images.crop", "args": {"path": "a", "box": {"left": 1, "right": 2}}}
        assert (await submit(site, "modest", **crop)).priority == 3
        assert (await submit(site, "all", **crop)).priority == 9
    finally:
        urgent.policy = type(urgent.policy)()
    assert (await submit(site, "modest", priority=3)).priority == 3
    response = await site.http.post("/v1/jobs", json=GOOD | {"priority": 99}, headers=bearer("modest"))
    check_problem(response, 422, field="priority")


async def test_keys_of_one_tenant_are_nothing_to_another(site: Site) -> None:
    """The same idempotency key, another job: nobody learns that it was used."""
    once = {"Idempotency-Key": "order-1"}
    ours = await site.http.post("/v1/jobs", json=GOOD, headers=bearer("acme") | once)
    body = GOOD | {"tenant": "globex", "args": {"path": "other.png"}}
    theirs = await site.http.post("/v1/jobs", json=body, headers=bearer("all") | once)
    assert (ours.status_code, theirs.status_code) == (202, 202)
    assert ours.json()["id"] != theirs.json()["id"]


# --- seeing and ending --------------------------------------------------------------------


async def test_another_tenants_job_does_not_exist(site: Site) -> None:
    """Looked at, waited for or cancelled, it answers word for word as one that never was."""
    theirs = (await submit(site, "all", tenant="globex")).id
    nobodys = (await submit(site, "all")).id
    unknown = f"media.{'0' * 28}"
    for job_id in (theirs, nobodys):
        for method, path in (("GET", ""), ("GET", "/wait?timeout=30"), ("POST", "/cancel")):
            answers: list[dict[str, Any]] = []
            for one in (job_id, unknown):
                with trio.fail_after(WITHIN):  # and it is not waited for
                    response = await site.http.request(
                        method, f"/v1/jobs/{one}{path}", headers=bearer("acme")
                    )
                problem = check_problem(response, 404, type="urn:penstock:problem:job-not-found")
                answers.append({key: str(value).replace(one, "?") for key, value in problem.items()})
            assert answers[0] == answers[1]
        job = await site.client.get(job_id)
        assert job is not None
        assert job.state is JobState.READY


async def test_ones_own_jobs_are_seen_waited_for_and_ended(site: Site) -> None:
    """By another token of the same tenant, too; and by one that is for all."""
    for name in ("acme", "all"):
        job_id = (await submit(site, "ann")).id
        headers = bearer(name)
        shown = await site.http.get(f"/v1/jobs/{job_id}", headers=headers)
        waited = await site.http.get(f"/v1/jobs/{job_id}/wait?timeout=0", headers=headers)
        ended = await site.http.post(f"/v1/jobs/{job_id}/cancel", headers=headers)
        assert shown.json()["tenant"] == waited.json()["tenant"] == "acme"
        assert ended.json()["state"] == "cancelled"


async def test_the_history_is_cut_to_the_tenant(site: Site) -> None:
    """Whoever names another is refused; a job of another is not there."""
    found = await site.http.get("/v1/history", headers=bearer("acme"))
    assert [job["tenant"] for job in found.json()["jobs"]] == ["acme"]
    everything = await site.http.get("/v1/history", headers=bearer("all"))
    assert [job["tenant"] for job in everything.json()["jobs"]] == ["acme", "globex"]
    response = await site.http.get("/v1/history?tenant=globex", headers=bearer("acme"))
    check_problem(response, 403, type=FORBIDDEN, field="tenant")
    for tenant, status in (("acme", 200), ("globex", 404)):
        response = await site.http.get(f"/v1/history/{past(tenant).id}", headers=bearer("acme"))
        assert response.status_code == status


# --- word for the middleware --------------------------------------------------------------


async def test_the_middleware_is_told_who_asked() -> None:
    """From the token; whose job was looked at is not who looked, and refusals are told of, too."""
    site = Site(tokens=book().find)
    middleware = Middleware(site.app)
    async with served(site, middleware):
        job_id = (await submit(site, "acme", user="bob")).id
        await site.http.get(f"/v1/jobs/{job_id}", headers=bearer("ann"))
        await site.http.get(f"/v1/jobs/{job_id}", headers=bearer("acme"))
        await site.http.get(f"/v1/jobs/{job_id}", headers=bearer("reader"))
        await site.http.post("/v1/jobs", json=GOOD | {"user": "eve"}, headers=bearer("ann"))
        await site.http.get("/v1/queues", headers=bearer("ann"))
        await site.http.get("/v1/queues")
    told = [(scope.get("penstock.tenant"), scope.get("penstock.user")) for scope in middleware.scopes]
    assert told == [
        ("acme", "bob"),
        ("acme", "ann"),
        ("acme", None),
        (None, None),
        ("acme", "ann"),
        ("acme", "ann"),
        (None, None),
    ]
    assert all("penstock.route" in scope for scope in middleware.scopes)
