"""Answers that are dear to make are made once for all who ask, and for nobody who may not see them."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from http_api.asking import bearer, book
from http_api.helpers import WITHIN, Site, served
from http_api.test_token_identity import History
from penstock.deploy.view_cache import MODULE, view_cache
from penstock.engine.cache import METRICS
from penstock.engine.errors import StoreUnavailable
from penstock.engine.metric import Sink
from penstock.http.views import FRESH, Views

PATHS = ["/v1/queues", "/v1/failures", "/v1/failures?queue=media", "/v1/history"]


class Counting:
    """Something dear to load: counts how often, and waits to be let."""

    def __init__(self) -> None:
        self.loads = 0
        self.gate = trio.Event()

    async def __call__(self) -> int:
        self.loads += 1
        await self.gate.wait()
        return self.loads


async def together(count: int, ask: Callable[[], Awaitable[Any]]) -> list[Any]:
    """What so many tasks get that ask at once."""
    answers: list[Any] = []

    async def one() -> None:
        answers.append(await ask())

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    return answers


async def body(views: Views, load: Any, tenant: str | None = None, asked: object = None) -> Any:
    response = await views.answer("view", tenant, asked, load)
    return json.loads(await response.get_data())


async def test_a_hundred_who_ask_at_once_cost_one_load() -> None:
    """They sleep until it is there, and the next ones find it."""
    views, load = Views(view_cache()), Counting()
    answers: list[Any] = []
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            answers.extend(await together(100, lambda: body(views, load)))

        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        assert load.loads == 1
        load.gate.set()
    assert answers == [1] * 100
    assert await body(views, load) == 1


async def test_an_answer_is_kept_for_a_second(autojump_clock: MockClock) -> None:
    """Then it is made anew, and not before; its age is said, and how old it may be."""
    views, load = Views(view_cache(), clock=trio.current_time), Counting()
    load.gate.set()
    first = await views.answer("view", None, None, load)
    assert (first.headers["Age"], first.headers["Cache-Control"]) == ("0", "private, max-age=1")
    await trio.sleep(FRESH * 0.9)
    kept = await views.answer("view", None, None, load)
    assert (load.loads, kept.headers["Age"], kept.headers["Vary"]) == (1, "1", "Authorization")
    await trio.sleep(FRESH * 0.2)
    assert await body(views, load) == 2


async def test_nobody_is_answered_what_was_made_for_others() -> None:
    """Another tenant, other questions, other views: each its own."""
    views, load = Views(view_cache()), Counting()
    load.gate.set()
    cases = [(None, None), ("acme", None), ("globex", None), (None, "acme"), (None, 50), (None, "50")]
    made = [await body(views, load, tenant, asked) for tenant, asked in cases]
    assert made == [1, 2, 3, 4, 5, 6]
    assert [await body(views, load, tenant, asked) for tenant, asked in cases] == made
    other = await views.answer("other", None, None, load)
    assert json.loads(await other.get_data()) == 7


async def test_what_fails_is_not_kept() -> None:
    """The next one tries again."""
    views = Views(view_cache())

    async def fail() -> object:
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        await views.answer("view", None, None, fail)
    load = Counting()
    load.gate.set()
    assert await body(views, load) == 1


async def test_one_who_leaves_takes_nobody_along() -> None:
    """Whoever loads may be cancelled: the next one loads instead."""
    views, load = Views(view_cache()), Counting()
    leaving = trio.CancelScope()

    async def leave() -> None:
        with leaving:
            await body(views, load)

    answers: list[Any] = []

    async def stay() -> None:
        answers.append(await body(views, load))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave)
        await wait_all_tasks_blocked()
        nursery.start_soon(stay)
        await wait_all_tasks_blocked()
        leaving.cancel()
        await wait_all_tasks_blocked()
        load.gate.set()
    assert (answers, load.loads) == ([2], 2)


async def test_without_a_cache_each_answer_is_new() -> None:
    """And says nothing of its age."""
    views, load = Views(), Counting()
    load.gate.set()
    assert [await body(views, load), await body(views, load)] == [1, 2]
    assert "Cache-Control" not in (await views.answer("view", None, None, load)).headers


async def test_loads_are_counted_for_the_api() -> None:
    """In the cache's own metrics, with `module="api"`."""
    told: list[tuple[str, tuple[Any, ...]]] = []

    def listen(name: str) -> Sink:
        return lambda change, labels, number: told.append((name, labels))

    drops = [metric.bind(listen(metric.name)) for metric in METRICS]
    load = Counting()
    load.gate.set()
    views = Views(view_cache())
    await body(views, load)
    await body(views, load)
    for drop in drops:
        drop()
    assert told.count(("cache_loads", (MODULE, "loaded"))) == 1
    assert ("cache_reads", (MODULE, "miss")) in told
    assert ("cache_reads", (MODULE, "hit_local")) in told


class Arrivals:
    """In front of an application: knows when so many requests have come."""

    def __init__(self, app: Any, expected: int) -> None:
        self._app = app
        self._left = expected
        self.all_here = trio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self._left -= 1
            if not self._left:
                self.all_here.set()
        await self._app(scope, receive, send)


@pytest.mark.parametrize("path", PATHS)
async def test_a_hundred_requests_cost_the_store_one(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP, whatever the view is made of."""
    history = History()
    site = Site(history=history, view_cache=view_cache(), tokens=book().find)
    arrivals, gate = Arrivals(site.app, 100), trio.Event()
    asked: list[str] = []

    def watched(name: str, original: Any) -> Any:
        async def call(*args: Any) -> Any:
            asked.append(name)
            await gate.wait()
            return await original(*args)

        return call

    for owner, name in ((site.store, "queues"), (site.store, "failures"), (history, "search")):
        monkeypatch.setattr(owner, name, watched(name, getattr(owner, name)))
    answers: list[Any] = []
    async with served(site, arrivals), trio.open_nursery() as nursery:

        async def ask() -> None:
            answers.extend(await together(100, lambda: site.http.get(path, headers=bearer("all"))))

        nursery.start_soon(ask)
        with trio.fail_after(WITHIN):
            await arrivals.all_here.wait()
            await wait_all_tasks_blocked(0.01)
        assert len(asked) == 1
        gate.set()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(asked) == len(set(asked)), asked  # each question of the one load, once


async def test_a_tenant_is_not_answered_what_was_made_for_all() -> None:
    """The history of one tenant, right after that of all and the other way round."""
    async with served(Site(history=History(), view_cache=view_cache(), tokens=book().find)) as site:
        for _ in range(2):
            seen = [
                [job["tenant"] for job in response.json()["jobs"]]
                for name in ("all", "acme", "all")
                for response in [await site.http.get("/v1/history", headers=bearer(name))]
            ]
            assert seen == [["acme", "globex"], ["acme"], ["acme", "globex"]]
