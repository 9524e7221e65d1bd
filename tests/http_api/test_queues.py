"""The list of queues."""

from typing import Any

from http_api.helpers import Site


async def listed(site: Site) -> list[dict[str, Any]]:
    """The queues that are answered."""
    response = await site.http.get("/v1/queues")
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["queues"]
    return found


async def test_there_are_no_queues(site: Site) -> None:
    """Until one is used."""
    assert await listed(site) == []


async def test_each_queue_says_how_it_is(site: Site) -> None:
    """Depths by state, workers and slots, and since when; times are RFC 3339 by the store's clock."""
    site.store._clock = lambda: 1_700_000_000_000
    await site.submit()
    await site.submit()
    await site.submit(delay=60)
    await site.store.join("media", "w", 15_000, 8)
    assert await site.store.claim("media", "w", 1, 1, suspect=False, idle=False)
    await site.submit(queue="mail")
    mail, media = await listed(site)
    assert media == {
        "queue": "media",
        "at": "2023-11-14T22:13:20.000Z",
        "ready": 1,
        "scheduled": 1,
        "running": 1,
        "dead": 0,
        "workers": 1,
        "slots": 8,
        "oldest_ready": "2023-11-14T22:13:20.000Z",
        "oldest_running": "2023-11-14T22:13:20.000Z",
        "next_due": "2023-11-14T22:14:20.000Z",
    }
    assert (mail["queue"], mail["ready"], mail["workers"], mail["oldest_running"]) == ("mail", 1, 0, None)


async def test_a_store_that_is_away_is_a_problem(site: Site) -> None:
    """503 and when to come again."""
    await site.submit()
    site.store.plugged = False
    response = await site.http.get("/v1/queues")
    assert response.status_code == 503
    assert response.headers["Retry-After"]
