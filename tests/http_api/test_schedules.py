"""`/v1/schedules`: what comes by itself, and steering it."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from http_api.asking import bearer, book
from http_api.helpers import Site, check_problem, images, served
from penstock.engine import JobContext, Module, Registry
from penstock.engine.periodic_store import ORPHANED_AFTER, Declared, Firing
from penstock.http import create_app
from support.stores import START, new_job

nightly = Module("periodic")
MINUTE = 60_000


@nightly.cron("0 3 * * *", timezone="Europe/Berlin", missed="skip", queue="media")
async def tidy(ctx: JobContext) -> None: ...


@nightly.every(30, name="often")
@nightly.job
async def count(ctx: JobContext, step: int = 1) -> None: ...


class Planned(Site):
    """A site whose application has schedules, on a clock that stands."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.now = START
        self.store._clock = lambda: self.now
        self.app = create_app(self.client, Registry([images, nightly]), **options)

    async def declare(self, name: str = "periodic.tidy", queue: str = "media") -> None:
        """Do what a worker does that begins."""
        text = b'{"job":"gone.job","when":"@daily","timezone":"UTC","missed":"latest"}'
        declared = [Declared(name=name, next=START + MINUTE, text=text)]
        await self.store.schedules.attend(queue, declared, new=True)
        self.store._used.add(queue)

    async def fire(self, name: str = "periodic.tidy", queue: str = "media") -> None:
        """Let a minute pass and do what a worker does then."""
        self.now += MINUTE
        firing = Firing(name=name, moment=self.now, next=self.now + MINUTE, worker="w1")
        await self.store.schedules.fire(queue, firing, new_job("0" * 28))

    async def listed(self) -> dict[str, dict[str, Any]]:
        """The list, by name."""
        response = await self.http.get("/v1/schedules")
        assert response.status_code == 200, response.text
        return {one["name"]: one for one in response.json()["schedules"]}


@pytest.fixture
async def planned() -> AsyncGenerator[Planned]:
    """One that is served."""
    async with served(Planned()) as site:
        assert isinstance(site, Planned)
        yield site


async def test_what_is_declared_is_listed_before_any_worker_came(planned: Planned) -> None:
    """It waits for one; when it would be due is known."""
    found = await planned.listed()
    assert found["periodic.tidy"] == {
        "name": "periodic.tidy",
        "queue": "media",
        "job": "periodic.tidy",
        "when": "0 3 * * *",
        "timezone": "Europe/Berlin",
        "missed": "skip",
        "status": "waiting",
        "next": "2023-11-15T02:00:00.000Z",
        "last": None,
        "last_job_id": None,
        "last_state": None,
        "fired_by": None,
    }
    assert (found["periodic.often"]["job"], found["periodic.often"]["when"]) == (
        "periodic.count",
        "every 30 s",
    )


async def test_it_tells_how_it_went_last(planned: Planned) -> None:
    """The moment, the job and how that is now, and which worker was there."""
    await planned.declare()
    one = (await planned.listed())["periodic.tidy"]
    assert (one["status"], one["last"], one["fired_by"]) == ("active", None, None)
    await planned.fire()
    one = (await planned.listed())["periodic.tidy"]
    assert one["last"] == "2023-11-14T22:14:20.000Z"
    assert (one["last_job_id"], one["last_state"]) == (f"media.{'0' * 28}", "ready")
    assert (one["fired_by"], one["next"]) == ("w1", "2023-11-15T02:00:00.000Z")


async def test_what_is_not_declared_any_more_is_an_orphan(planned: Planned) -> None:
    """Shown by what was stored of it, until it is forgotten."""
    await planned.declare("gone.nightly")
    assert (await planned.listed())["gone.nightly"]["next"] == "2023-11-14T22:14:20.000Z"
    planned.now += ORPHANED_AFTER
    one = (await planned.listed())["gone.nightly"]
    assert (one["status"], one["next"], one["job"], one["when"]) == ("orphaned", None, "gone.job", "@daily")
    response = await planned.http.post("/v1/schedules/gone.nightly/forget")
    assert response.json() == {"name": "gone.nightly", "done": "forget"}
    assert "gone.nightly" not in await planned.listed()


async def test_one_can_be_held_and_let_go(planned: Planned) -> None:
    """While it is paused nothing is due."""
    await planned.declare()
    assert (await planned.http.post("/v1/schedules/periodic.tidy/pause")).status_code == 200
    one = (await planned.listed())["periodic.tidy"]
    assert (one["status"], one["next"]) == ("paused", None)
    assert (await planned.http.post("/v1/schedules/periodic.tidy/resume")).status_code == 200
    assert (await planned.listed())["periodic.tidy"]["status"] == "active"


async def test_one_can_be_fired_now(planned: Planned) -> None:
    """Beside its moments, of which nothing is changed."""
    await planned.declare("periodic.often", "default")
    before = (await planned.listed())["periodic.often"]
    response = await planned.http.post("/v1/schedules/periodic.often/fire")
    assert response.status_code == 202
    job = await planned.client.get(response.json()["id"])
    assert job is not None
    assert (job.job, job.args, job.queue) == ("periodic.count", {"step": 1}, "default")
    assert (await planned.listed())["periodic.often"] == before


@pytest.mark.parametrize("action", ["pause", "resume", "forget", "fire"])
async def test_what_nobody_knows_cannot_be_steered(planned: Planned, action: str) -> None:
    """404, whatever stands for its name."""
    for name in ("periodic.nothing", "%F0%9F%92%A5"):
        response = await planned.http.post(f"/v1/schedules/{name}/{action}")
        assert check_problem(response, 404)["type"].endswith("schedule-not-found")


async def test_steering_takes_a_token_that_may_operate() -> None:
    """Looking takes one that may read."""
    async with served(Planned(tokens=book().find)) as site:
        assert (await site.http.get("/v1/schedules")).status_code == 401
        for action in ("pause", "resume", "forget", "fire"):
            path = f"/v1/schedules/periodic.tidy/{action}"
            assert (await site.http.post(path, headers=bearer("powerless"))).status_code == 403
