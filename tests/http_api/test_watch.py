"""`GET /v1/jobs/{id}`, `…/wait` and `…/cancel`."""

import re

import pytest
import trio
import trio.testing

from http_api.helpers import Site, check_problem, served
from penstock.engine import JobError, JobState
from penstock.engine.record import Ending, encode_ending
from penstock.engine.store import Settlement

UNKNOWN = f"media.{'0' * 28}"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def end(site: Site, job_id: str, ending: Ending, state: JobState) -> None:
    """Claim a job and settle it as a worker would."""
    queue, _, suffix = job_id.partition(".")
    await site.store.join(queue, "w1", 15_000)
    claim = await site.store.claim(queue, "w1", 1, 1, suspect=False, idle=False)
    assert claim is not None
    token = claim.jobs[0].token
    settlement = Settlement(
        suffix=suffix, token=token, state=state, attempt=1, delay=60_000, ending=encode_ending(ending)
    )
    assert await site.store.settle(queue, "w1", [settlement]) == ["settled"]


async def test_a_waiting_job_is_shown_with_every_field(site: Site) -> None:
    """Times are RFC 3339 in UTC with milliseconds; what is not known yet is null."""
    receipt = await site.submit(tenant="acme", user="ann", priority=3)
    job = (await site.http.get(f"/v1/jobs/{receipt['id']}")).json()
    assert MOMENT.fullmatch(job.pop("submitted_at"))
    assert MOMENT.fullmatch(job.pop("due_at"))
    assert job == {
        "id": receipt["id"],
        "queue": "media",
        "job": "images.thumbnail",
        "module": "images",
        "state": "ready",
        "ended": False,
        "attempt": 0,
        "crashes": 0,
        "priority": 3,
        "tenant": "acme",
        "user": "ann",
        "started_at": None,
        "ended_at": None,
        "worker": None,
        "args": {"path": "a.png", "width": 200},
        "result": None,
        "error": None,
        "trace_id": None,
    }


async def test_a_dead_job_is_shown_with_its_error(site: Site) -> None:
    """Type, message, traceback, and what leads on from there: attempt, worker, trace and fingerprint."""
    receipt = await site.submit()
    error = JobError("ValueError", "no", "Traceback …", 2, "w1", f"00-{'a' * 32}-{'b' * 16}-01", "f" * 16)
    await end(site, receipt["id"], Ending("w1", 1_700_000_000_125, 1, error=error), JobState.DEAD)
    job = (await site.http.get(f"/v1/jobs/{receipt['id']}")).json()
    assert job["error"] == {
        "type": "ValueError",
        "message": "no",
        "traceback": "Traceback …",
        "attempt": 2,
        "worker": "w1",
        "trace_id": "a" * 32,
        "fingerprint": "f" * 16,
    }
    assert (job["state"], job["ended"], job["worker"]) == ("dead", True, "w1")
    assert job["started_at"] == "2023-11-14T22:13:20.125Z"


async def test_what_an_older_worker_did_not_write_is_null(site: Site) -> None:
    """Its records have type, message and traceback."""
    receipt = await site.submit()
    older = Ending("w1", 1, 1, error=JobError("ValueError", "no", "Traceback …"))
    await end(site, receipt["id"], older, JobState.DEAD)
    error = (await site.http.get(f"/v1/jobs/{receipt['id']}")).json()["error"]
    assert [error[name] for name in ("attempt", "worker", "trace_id", "fingerprint")] == [None] * 4


@pytest.mark.parametrize("action", ["", "/wait", "/cancel"])
async def test_an_unknown_job_is_answered_with_404(site: Site, action: str) -> None:
    """Never submitted, or past its retention."""
    response = await site.http.request(
        "POST" if action == "/cancel" else "GET", f"/v1/jobs/{UNKNOWN}{action}"
    )
    check_problem(response, 404, type="urn:penstock:problem:job-not-found")


@pytest.mark.parametrize("action", ["", "/wait", "/cancel"])
async def test_what_is_no_job_id_is_answered_with_422(site: Site, action: str) -> None:
    """Before the store is asked."""
    site.store.plugged = False
    response = await site.http.request("POST" if action == "/cancel" else "GET", f"/v1/jobs/nonsense{action}")
    check_problem(response, 422, field="id")


async def test_waiting_ends_with_the_job(site: Site) -> None:
    """The long poll is answered when the job ends, long before its time is up."""
    receipt = await site.submit()
    job = {}

    async def wait() -> None:
        response = await site.http.get(f"/v1/jobs/{receipt['id']}/wait", params={"timeout": 15})
        job.update(response.json())

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await end(site, receipt["id"], Ending("w1", 1, 1), JobState.SUCCEEDED)
    assert (job["state"], job["ended"]) == ("succeeded", True)


async def test_waiting_in_vain_is_answered_with_the_job_as_it_is(site: Site) -> None:
    """200, not ended."""
    receipt = await site.submit()
    response = await site.http.get(f"/v1/jobs/{receipt['id']}/wait", params={"timeout": 0})
    assert response.status_code == 200
    assert (response.json()["state"], response.json()["ended"]) == ("ready", False)


@pytest.mark.parametrize("timeout", ["-1", "61", "nan", "inf", "soon", ""])
async def test_a_timeout_out_of_range_is_refused(site: Site, timeout: str) -> None:
    """0 to 60 seconds; nothing else is a number of seconds to wait."""
    response = await site.http.get(f"/v1/jobs/{UNKNOWN}/wait", params={"timeout": timeout})
    check_problem(response, 422, field="timeout")


async def test_cancelling_a_waiting_job_ends_it(site: Site) -> None:
    """200 with the new state; a second time there is nothing left to end: 409."""
    receipt = await site.submit()
    response = await site.http.post(f"/v1/jobs/{receipt['id']}/cancel")
    assert response.status_code == 200
    assert response.json() == {"id": receipt["id"], "state": "cancelled", "changed": True}
    again = await site.http.post(f"/v1/jobs/{receipt['id']}/cancel")
    assert "cancelled" in check_problem(again, 409, type="urn:penstock:problem:already-ended")["detail"]


async def test_cancelling_a_running_job_tells_its_worker(site: Site) -> None:
    """It still runs: 200, also when asked again."""
    receipt = await site.submit()
    await site.store.join("media", "w1", 15_000)
    await site.store.claim("media", "w1", 1, 1, suspect=False, idle=False)
    for changed in (True, False):
        response = await site.http.post(f"/v1/jobs/{receipt['id']}/cancel")
        assert response.json() == {"id": receipt["id"], "state": "running", "changed": changed}


@pytest.mark.parametrize("action", ["", "/wait", "/cancel"])
async def test_an_unreachable_store_is_answered_with_503(site: Site, action: str) -> None:
    """Reading and acting alike."""
    site.store.plugged = False
    response = await site.http.request(
        "POST" if action == "/cancel" else "GET", f"/v1/jobs/{UNKNOWN}{action}"
    )
    check_problem(response, 503)
    assert response.headers["Retry-After"]


async def test_a_long_poll_answers_when_the_process_drains() -> None:
    """A rolling update cuts nobody off: who waits gets the job as it is, and asks another process."""
    draining = trio.Event()
    async with served(Site(draining=draining)) as site:
        receipt = await site.submit()
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_set_once_somebody_waits, site, draining)
                answer = await site.http.get(f"/v1/jobs/{receipt['id']}/wait?timeout=60", timeout=20)

    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["ended"]) == ("ready", False)


async def _set_once_somebody_waits(site: Site, event: trio.Event) -> None:
    endings = site.client._endings_of("media")
    while not endings._waiters:
        await trio.testing.wait_all_tasks_blocked(0.01)
    event.set()
