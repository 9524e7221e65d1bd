"""`GET /v1/failures`."""

from typing import Any

import pytest

from http_api.helpers import Site, check_problem
from penstock.engine import JobError, JobState
from penstock.engine.failure_counts import failure_of
from penstock.engine.limits import MAX_FAILURES
from support.stores import settlement

TRACE = "0af7651916cd43dd8448eb211c80319c"


async def fail(site: Site, fingerprint: str, message: str = "no", **fields: Any) -> str:
    """Submit one job and let it fail; its id."""
    receipt = await site.submit(**fields)
    queue = receipt["queue"]
    await site.store.join(queue, "w", 15_000)
    number = fail.number = getattr(fail, "number", 0) + 1  # type: ignore[attr-defined]
    claim = await site.store.claim(queue, "w", number, 1, suspect=False, idle=False)
    assert claim is not None
    error = JobError("ValueError", message, "…", 1, "w", f"00-{TRACE}-{'1' * 16}-01", fingerprint)
    ending = settlement(claim.jobs[0], JobState.DEAD, failure=failure_of(receipt["job"], error))
    assert await site.store.settle(queue, "w", [ending]) == ["settled"]
    job_id: str = receipt["id"]
    return job_id


async def listed(site: Site, query: str = "") -> list[dict[str, Any]]:
    """The failures that are answered."""
    response = await site.http.get(f"/v1/failures{query}")
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["failures"]
    return found


async def test_nothing_has_failed(site: Site) -> None:
    """An empty list, of all queues as of one that nobody has used."""
    assert await listed(site) == await listed(site, "?queue=unheard-of") == []


async def test_a_failure_is_listed_with_its_count_and_an_example(site: Site) -> None:
    """The last one's id, message and trace; times are RFC 3339."""
    await fail(site, "a" * 16, "for Ann")
    job_id = await fail(site, "a" * 16, "for Bob")
    (one,) = await listed(site)
    first, last = one.pop("first_seen"), one.pop("last_seen")
    assert first <= last
    assert last.endswith("Z")
    assert one == {
        "fingerprint": "a" * 16,
        "count": 2,
        "queue": "media",
        "job": "images.thumbnail",
        "type": "ValueError",
        "message": "for Bob",
        "job_id": job_id,
        "trace_id": TRACE,
    }


async def test_all_queues_are_listed_together_or_one_by_name(site: Site) -> None:
    """The one seen last first, whichever queue it came to; no more than were asked for."""
    now = 1_000
    site.store._clock = lambda: now
    for number, queue in enumerate(("media", "mail", "media", "other")):
        now += 1
        await fail(site, f"{number:016x}", queue=queue)

    async def numbers(query: str = "") -> list[int]:
        return [int(one["fingerprint"], 16) for one in await listed(site, query)]

    assert await numbers() == [3, 2, 1, 0]
    assert await numbers("?queue=media") == [2, 0]
    assert await numbers("?limit=2") == [3, 2]
    assert await numbers("?queue=media&limit=1") == [2]
    assert await numbers(f"?limit={MAX_FAILURES}") == [3, 2, 1, 0]


@pytest.mark.parametrize("limit", ["0", "-1", "501", "many", "1.5", "", "²", "9" * 5000])
async def test_a_limit_that_cannot_be_is_refused(site: Site, limit: str) -> None:
    """422, and the field is named."""
    check_problem(await site.http.get("/v1/failures", params={"limit": limit}), 422, field="limit")


async def test_a_queue_that_cannot_be_is_refused(site: Site) -> None:
    """Before the store is asked."""
    site.store.plugged = False
    check_problem(await site.http.get("/v1/failures?queue=N%20o"), 422, field="queue")
