"""What orchestrators and scrapers ask: alive, ready, metrics."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import trio
from quart import Response, request

from penstock.engine.client import Client
from penstock.engine.errors import PenstockError
from penstock.http.limits import HttpLimits
from penstock.http.problems import NO_METRICS, NOT_READY, Refused
from penstock.http.schemas import json_response

MetricsRenderer: TypeAlias = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Takes the `Accept` header (empty without one), gives a body and its content type."""

Ailments: TypeAlias = Callable[[], Awaitable[Sequence[str]]]
"""Gives what is wrong beside what is asked here; bounds its own time."""


class HealthRoutes:
    """The handlers of `/healthz`, `/readyz` and `/metrics`."""

    def __init__(
        self,
        client: Client,
        limits: HttpLimits,
        ready: Callable[[], bool],
        metrics: MetricsRenderer | None,
        ailments: Ailments | None = None,
    ) -> None:
        self._client = client
        self._limits = limits
        self._ready = ready
        self._metrics = metrics
        self._ailments = ailments

    async def alive(self) -> Response:
        """Say that the loop runs, whatever else is wrong: a restart would mend nothing else."""
        return json_response({"status": "alive"})

    async def ready(self) -> Response:
        """Say whether work may be sent here; 503 names what is wrong."""
        if not self._ready():
            raise Refused(NOT_READY, "this process is starting or draining")
        await self._ping()
        wrong = await self._ailments() if self._ailments is not None else []
        if wrong:
            raise Refused(NOT_READY, "; ".join(wrong))
        return json_response({"status": "ready"})

    async def metrics(self) -> Response:
        """Have the metrics rendered in the format that the scraper accepts."""
        if self._metrics is None:
            raise Refused(NO_METRICS, "metrics are not served here")
        body, content_type = await self._metrics(request.headers.get("Accept", ""))
        return Response(body, content_type=content_type)

    async def _ping(self) -> None:
        try:
            with trio.fail_after(self._limits.ping):
                await self._client.store.ping()
        except trio.TooSlowError:
            reason = f"the store did not answer within {self._limits.ping:g} s"
            raise Refused(NOT_READY, reason) from None
        except PenstockError as error:
            raise Refused(NOT_READY, f"the store does not answer: {error}") from error
