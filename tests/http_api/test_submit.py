"""`POST /v1/jobs`: what is accepted, and what each fault is answered with."""

import json
from collections.abc import AsyncGenerator
from contextlib import nullcontext
from typing import Any

import pytest

from http_api.helpers import GOOD, Site, check_problem, served
from penstock.engine import JobState, Seams

JSON = {"Content-Type": "application/json"}
TRACE = "0af7651916cd43dd8448eb211c80319c"


async def test_a_submission_is_stored_and_answered_with_202_and_its_address(site: Site) -> None:
    """The receipt names the job, and `Location` leads to it."""
    response = await site.http.post("/v1/jobs", json=GOOD)
    assert response.status_code == 202
    receipt = response.json()
    assert receipt == {
        "id": receipt["id"],
        "state": "ready",
        "trace_id": None,
        "queue": "media",
        "job": "images.thumbnail",
        "duplicate": False,
    }
    assert response.headers["Location"] == f"/v1/jobs/{receipt['id']}"
    shown = (await site.http.get(response.headers["Location"])).json()
    assert shown["args"] == {"path": "a.png", "width": 200}


async def test_every_option_reaches_the_stored_job(site: Site) -> None:
    """Queue, priority, delay, tenant and user are as submitted."""
    receipt = await site.submit(queue="other", priority=7, delay=60, tenant="acme", user="ann")
    job = await site.client.get(receipt["id"])
    assert job is not None
    assert (job.queue, job.priority, job.tenant, job.user) == ("other", 7, "acme", "ann")
    assert job.state is JobState.SCHEDULED
    assert job.due_at == pytest.approx(job.submitted_at + 60, abs=0.01)


@pytest.mark.parametrize("run_at", [4102444800, "2100-01-01T00:00:00Z", "2100-01-01T01:00:00+01:00"])
async def test_run_at_is_rfc_3339_or_seconds_since_the_epoch(site: Site, run_at: object) -> None:
    """All three say the same moment."""
    receipt = await site.submit(run_at=run_at)
    job = await site.client.get(receipt["id"])
    assert job is not None
    assert job.due_at == 4102444800


async def test_a_job_without_arguments_needs_no_args(site: Site) -> None:
    """`args` may be left out."""
    assert (await site.http.post("/v1/jobs", json={"job": "images.anything"})).status_code == 202


async def test_the_same_unique_key_is_answered_with_200_and_the_older_job(site: Site) -> None:
    """While the first one has not ended, the second stands for it."""
    first = await site.submit(unique_key="a")
    response = await site.http.post("/v1/jobs", json=GOOD | {"unique_key": "a"})
    assert response.status_code == 200
    assert response.json() == first | {"duplicate": True}
    assert response.headers["Location"] == f"/v1/jobs/{first['id']}"


async def test_the_same_idempotency_key_submits_once(site: Site) -> None:
    """Sent again, a submission takes effect once and is answered with the same id."""
    headers = {"Idempotency-Key": "order-7"}
    first = await site.http.post("/v1/jobs", json=GOOD, headers=headers)
    again = await site.http.post("/v1/jobs", json=GOOD, headers=headers)
    assert again.json()["id"] == first.json()["id"]
    assert again.status_code in (200, 202)
    assert (await site.store.facts("media")).ready == 1


@pytest.mark.parametrize(
    "other",
    [GOOD | {"args": {"path": "b.png"}}, {"job": "images.anything", "args": {}, "queue": "media"}],
)
async def test_an_idempotency_key_used_for_something_else_is_a_conflict(site: Site, other: Any) -> None:
    """Other arguments, or another job on the same queue: 409, and nothing is stored."""
    headers = {"Idempotency-Key": "order-7"}
    await site.http.post("/v1/jobs", json=GOOD, headers=headers)
    response = await site.http.post("/v1/jobs", json=other, headers=headers)
    check_problem(response, 409, type="urn:penstock:problem:conflict", field="Idempotency-Key")
    assert (await site.store.facts("media")).ready == 1


@pytest.fixture
async def traced() -> AsyncGenerator[Site]:
    """A site whose submissions belong to a trace."""
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    async with served(Site(seams=Seams(around_submit=lambda requests: nullcontext(headers)))) as site:
        yield site


async def test_the_receipt_carries_the_trace_id(traced: Site) -> None:
    """What the submission seam put into the record is what the client is told."""
    receipt = await traced.submit()
    assert receipt["trace_id"] == TRACE
    assert (await traced.http.get(f"/v1/jobs/{receipt['id']}")).json()["trace_id"] == TRACE


# --- faults ---------------------------------------------------------------------------------

ARGUMENTS = "urn:penstock:problem:invalid-arguments"
REQUEST = "urn:penstock:problem:invalid-request"
FAULTS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "unknown job": ({"job": "images.thumbnial"}, "urn:penstock:problem:unknown-job", "job"),
    "missing argument": ({"args": {}}, ARGUMENTS, "path"),
    "extra argument": ({"args": {"path": "a", "hight": 1}}, ARGUMENTS, "hight"),
    "wrong type": ({"args": {"path": "a", "width": "wide"}}, ARGUMENTS, "width"),
    "args no object": ({"args": ["a.png"]}, ARGUMENTS, None),
    "unknown field": ({"prio": 1}, REQUEST, "prio"),
    "job no string": ({"job": 7}, REQUEST, "job"),
    "bad queue": ({"queue": 'we"ird\\'}, REQUEST, "queue"),
    "empty queue": ({"queue": ""}, REQUEST, "queue"),
    "priority out of range": ({"priority": 10}, REQUEST, "priority"),
    "priority no integer": ({"priority": 1.5}, REQUEST, "priority"),
    "negative delay": ({"delay": -1}, REQUEST, "delay"),
    "run_at without an offset": ({"run_at": "2100-01-01T00:00:00"}, REQUEST, "run_at"),
    "run_at no time": ({"run_at": "tomorrow"}, REQUEST, "run_at"),
    "run_at in milliseconds": ({"run_at": 4102444800000}, REQUEST, "run_at"),
    "delay and run_at": ({"delay": 1, "run_at": 4102444800}, REQUEST, "run_at"),
    "expired at once": ({"expires_in": 0}, REQUEST, "expires_in"),
    "empty unique key": ({"unique_key": ""}, REQUEST, "unique_key"),
    "long tenant": ({"tenant": "t" * 129}, REQUEST, "tenant"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_request_that_cannot_be_is_answered_with_422_and_the_field(site: Site, fault: str) -> None:
    """Each fault has its type and names the offending part; nothing is stored."""
    fields, kind, field = FAULTS[fault]
    problem = check_problem(await site.http.post("/v1/jobs", json=GOOD | fields), 422, type=kind)
    assert problem.get("field") == field
    assert await site.store.queues() == []


async def test_a_missing_job_is_named(site: Site) -> None:
    """The one field that must be there."""
    check_problem(await site.http.post("/v1/jobs", json={"args": {}}), 422, field="job")


async def test_an_unknown_job_is_told_what_comes_near(site: Site) -> None:
    """A typing mistake is answered with the right name."""
    response = await site.http.post("/v1/jobs", json={"job": "images.thumbnial"})
    assert "images.thumbnail" in check_problem(response, 422)["detail"]


MALFORMED = {
    "nothing": (b"", "byte 0"),
    "cut off": (b'{"job": "images.th', "byte 18"),
    "trailing comma": (b'{"job": "a",}', "byte 12"),
    "something behind": (b'{"job": "a"} x', "byte 14"),
    "not UTF-8": (b'{"job": "a", "args": {"path": "\xff"}}', "UTF-8"),
    "too deep": (b'{"job": "a", "args": ' + b"[" * 100_000, "deep"),
}


@pytest.mark.parametrize("fault", MALFORMED)
async def test_malformed_json_is_answered_with_400_and_the_place(site: Site, fault: str) -> None:
    """The detail says where reading stopped."""
    body, place = MALFORMED[fault]
    response = await site.http.post("/v1/jobs", content=body, headers=JSON)
    problem = check_problem(response, 400, type="urn:penstock:problem:malformed-json")
    assert place in problem["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None])
async def test_another_content_type_is_answered_with_415_and_what_is_accepted(
    site: Site, kind: str | None
) -> None:
    """Also where none is given: pages in browsers may not submit to a loopback address."""
    headers = {} if kind is None else {"Content-Type": kind}
    response = await site.http.post("/v1/jobs", content=json.dumps(GOOD), headers=headers)
    assert "application/json" in check_problem(response, 415, field="Content-Type")["detail"]


async def test_a_content_type_may_have_parameters(site: Site) -> None:
    """`charset=utf-8` is what many clients add."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert (await site.http.post("/v1/jobs", content=json.dumps(GOOD), headers=headers)).status_code == 202


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_limit_is_answered_with_413(site: Site, announced: bool) -> None:
    """With `Content-Length` before it is read, without one as soon as it is too much."""
    body = b'{"job": "' + b"x" * (3 * 1024 * 1024) + b'"}'

    async def pieces() -> AsyncGenerator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    response = await site.http.post("/v1/jobs", content=body if announced else pieces(), headers=JSON)
    check_problem(response, 413, type="urn:penstock:problem:payload-too-large")


async def test_arguments_over_the_limit_are_answered_with_413(site: Site) -> None:
    """A body that passes may still hold too much for one job."""
    response = await site.http.post("/v1/jobs", json=GOOD | {"args": {"path": "x" * 300_000}})
    check_problem(response, 413, field="args")


async def test_an_idempotency_key_that_is_too_long_is_refused(site: Site) -> None:
    """The same bound as for every key."""
    response = await site.http.post("/v1/jobs", json=GOOD, headers={"Idempotency-Key": "k" * 201})
    check_problem(response, 422)


async def test_an_unreachable_store_is_answered_with_503_and_when_to_come_again(site: Site) -> None:
    """The detail does not tell strangers where the store is."""
    site.store.plugged = False
    response = await site.http.post("/v1/jobs", json=GOOD)
    check_problem(response, 503, type="urn:penstock:problem:store-unavailable")
    assert int(response.headers["Retry-After"]) > 0
