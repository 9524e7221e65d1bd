"""What the HTTP tests share: a module of jobs, a store that can be unplugged, the shape of a problem."""

import json
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import httpx
import msgspec
import trio
from quart_trio import QuartTrio

from penstock.engine import Client, Job, JobContext, Module, Registry, Seams
from penstock.engine.errors import NotDurable, StoreUnavailable
from penstock.engine.limits import MAX_WAITING
from penstock.engine.memory_store import MemoryStore
from penstock.engine.store import PLAIN, NewJob, Submitted, Terms
from penstock.http import create_app, serve

T = TypeVar("T")

WITHIN = 20.0
"""Seconds that anything may take on a machine that is swamped."""

images = Module("images")


class Box(msgspec.Struct):
    """A type inside arguments, for the contract."""

    left: int
    right: int


@images.job(queue="media")
async def thumbnail(ctx: JobContext, path: str, width: int = 200) -> None: ...


@images.job
async def crop(ctx: JobContext, path: str, box: Box) -> None: ...


@images.job
async def anything(ctx: JobContext, value: Any = None) -> None: ...


GOOD = {"job": "images.thumbnail", "args": {"path": "a.png"}}


class UnpluggableStore(MemoryStore):
    """The store in memory, reachable or not; `gate` holds submissions back while it is not set.

    With `syncs` off its disk never gets anything.
    """

    def __init__(self) -> None:
        super().__init__()
        self.plugged = True
        self.submissions_until_unplugged: float = float("inf")
        self.terms: list[Terms] = []
        """On which terms something was submitted, in order."""
        self.syncs = True
        self.gate = trio.Event()
        self.gate.set()

    async def submit(self, queue: str, jobs: Sequence[NewJob], terms: Terms = PLAIN) -> list[Submitted]:
        await self.gate.wait()
        self.terms.append(terms)
        if terms.disk and not self.syncs:
            raise NotDurable("stored, but not known to be on disk after 5 s")
        if self.submissions_until_unplugged <= 0:
            self.plugged = False
        self.submissions_until_unplugged -= 1
        return await super().submit(queue, jobs, terms)

    async def _step(self, queue: str, decide: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        self._check()
        return await super()._step(queue, decide, *args, **kwargs)

    async def ping(self) -> None:
        self._check()
        await super().ping()

    def _check(self) -> None:
        if not self.plugged:
            raise StoreUnavailable("the plug is out at secret-host:6379")


class Site:
    """One application with its client and store; served, `http` talks to it."""

    http: httpx.AsyncClient
    port: int

    def __init__(self, *, seams: Seams | None = None, max_waiting: int = MAX_WAITING, **options: Any) -> None:
        self.store = UnpluggableStore()
        self.client = Client(self.store, seams, max_waiting=max_waiting)
        self.registry = Registry([images])
        self.app: QuartTrio = create_app(self.client, self.registry, **options)

    async def submit(self, **fields: Any) -> dict[str, Any]:
        """Submit one job that must be accepted."""
        response = await self.http.post("/v1/jobs", json=GOOD | fields)
        assert response.status_code in (200, 202), response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def batch(self, body: Any, kind: str = "application/x-ndjson", **headers: str) -> list[Any]:
        """Submit a batch that must be answered; its result lines."""
        response = await self.http.post(
            "/v1/jobs/batch", content=body, headers={"Content-Type": kind, **headers}
        )
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"] == "application/x-ndjson"
        return [json.loads(line) for line in response.text.splitlines()]

    async def jobs(self, results: Iterable[dict[str, Any]]) -> list[Job]:
        """The stored jobs behind the good ones among result lines."""
        found = [await self.client.get(result["id"]) for result in results if "id" in result]
        return [job for job in found if job is not None]


@asynccontextmanager
async def served(site: Site, app: Any = None) -> AsyncGenerator[Site]:
    """Serve a site (or `app` in front of it) on a free port for the length of the block."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        url = await nursery.start(partial(serve, app or site.app, "127.0.0.1:0", shutdown=stop))
        site.port = int(url.rpartition(":")[2])
        async with httpx.AsyncClient(base_url=url, timeout=WITHIN) as site.http:
            yield site
        stop.set()


def lines(*values: Any) -> bytes:
    """NDJSON; bytes are taken as they are."""
    return b"\n".join(v if isinstance(v, bytes) else json.dumps(v).encode() for v in values) + b"\n"


def check_problem(response: httpx.Response, status: int, **expected: Any) -> dict[str, Any]:
    """The response is a problem of this status and shape, with these members; returns it."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    check_members(problem, status, **expected)
    assert problem["instance"] == response.request.url.raw_path.decode().partition("?")[0]
    return problem


def check_members(problem: dict[str, Any], status: int, **expected: Any) -> None:
    """RFC 9457: these members, of these types, and nothing that tells of the inside."""
    assert problem["status"] == status
    assert problem["type"] == "about:blank" or problem["type"].startswith("urn:penstock:problem:")
    assert isinstance(problem["title"], str)
    assert problem["title"]
    assert isinstance(problem["detail"], str)
    assert problem["detail"]
    assert set(problem) <= {"type", "title", "status", "detail", "instance", "field", "trace_id"}
    assert "Traceback" not in json.dumps(problem)
    assert "secret" not in json.dumps(problem)
    for member, value in expected.items():
        assert problem[member] == value, problem
