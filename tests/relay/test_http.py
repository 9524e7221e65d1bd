"""Over HTTP a queue whose relays are too far behind is answered as a full one."""

from http_api.helpers import Site, check_problem, served
from penstock.engine.memory_store import MemoryStore


async def test_relays_that_are_too_far_behind_are_answered_with_429() -> None:
    """The client learns why, and that it may come again."""
    async with served(Site()) as site:
        store = site.store
        assert isinstance(store, MemoryStore)
        await store.outbox.enlist("media", "history", 1)
        await site.client.cancel((await site.submit())["id"])
        response = await site.http.post("/v1/jobs", json={"job": "images.thumbnail", "args": {"path": "a"}})
        problem = check_problem(response, 429, type="urn:penstock:problem:queue-full")
        assert "1 endings waiting for its relays" in problem["detail"]
        assert int(response.headers["Retry-After"]) > 0
