"""The parts of a submission's work, for a middleware that wants to see them apart."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from http_api.helpers import GOOD, Site, lines, served


class Watching:
    """A middleware that writes down which parts began and how they ended."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.told: list[str] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        scope["penstock.step"] = self._step
        await self._app(scope, receive, send)

    @contextmanager
    def _step(self, name: str) -> Generator[None]:
        try:
            yield
        except Exception as error:
            self.told.append(f"{name}: {type(error).__name__}")
            raise
        self.told.append(name)


async def test_a_submission_is_parsed_and_validated_apart() -> None:
    """What goes wrong is seen where it goes wrong, and the answer is as ever."""
    site = Site()
    watching = Watching(site.app)
    async with served(site, watching):
        answers = [
            await site.http.post("/v1/jobs", json=GOOD),
            await site.http.post("/v1/jobs", content=b"{", headers={"Content-Type": "application/json"}),
            await site.http.post("/v1/jobs", json={"job": "images.nothing"}),
        ]

    assert [answer.status_code for answer in answers] == [202, 400, 422]
    assert watching.told == ["parse", "validate", "parse: Refused", "parse", "validate: UnknownJob"]


async def test_a_batch_is_parsed_and_validated_chunk_by_chunk() -> None:
    """A bad line is its own problem, no part's failure."""
    site = Site()
    watching = Watching(site.app)
    async with served(site, watching):
        results = await site.batch(lines(GOOD, b"{", {"job": "images.nothing"}, GOOD))

    assert ["id" in result for result in results] == [True, False, False, True]
    assert watching.told == ["parse", "validate"]
