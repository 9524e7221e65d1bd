"""The wiring: settings become a store, a client, a worker and an API that report to one telemetry.

The only place that knows all parts by name; commands choose which of them to run.
"""

import os
import random
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import trio
from quart_trio import QuartTrio

from penstock.deploy.bus_part import BusPart, open_bus
from penstock.deploy.known_secrets import known_secrets
from penstock.deploy.module_settings import read_module_settings
from penstock.deploy.overview import Overview
from penstock.deploy.probes import create_probes
from penstock.deploy.settings import Settings
from penstock.deploy.shipped import shipped, shipped_metrics, with_shipped
from penstock.deploy.store_watch import PermissionWatch, look_once
from penstock.deploy.token_file import TokenFile
from penstock.engine.bus import METRICS as BUS_METRICS
from penstock.engine.client import Client
from penstock.engine.context import EventPublisher
from penstock.engine.errors import StoreRefused
from penstock.engine.metric import Metric
from penstock.engine.periodic_metrics import METRICS as SCHEDULE_METRICS
from penstock.engine.redis_store import RedisStore
from penstock.engine.registry import Registry
from penstock.engine.supervision import Supervisor
from penstock.engine.transport import METRICS as TRANSPORT_METRICS
from penstock.engine.transport import open_link
from penstock.engine.worker import Worker
from penstock.engine.worker_settings import WorkerSettings
from penstock.http import create_app
from penstock.http.health import Ailments
from penstock.http.metrics import METRICS as HTTP_METRICS
from penstock.http.mounts import mounted
from penstock.telemetry import Telemetry, TelemetrySettings
from penstock.telemetry.asgi import ASGIApp, TelemetryMiddleware
from penstock.telemetry.metrics.endpoint import MetricsEndpoint
from penstock.telemetry.metrics.module_metrics import bind_module_metrics

if TYPE_CHECKING:
    from penstock.deploy.history_part import HistoryPart

Ready = Callable[[], bool]

_LOOK = 2.0
"""Seconds between looks at a store that answers; how soon an idle API says in its log that Redis is gone."""


class Parts:
    """One process's parts, sharing one connection and one telemetry."""

    def __init__(self, settings: Settings, registry: Registry, role: str) -> None:
        """Make them; nothing is connected yet, so Redis may be away.

        `role` is the process's name in logs and traces. Raises `ConfigurationError`.
        """
        self.settings = settings
        self.registry = registry
        self.redis = open_link(settings.redis)
        self.store = RedisStore(self.redis)
        self.telemetry = Telemetry.start(
            TelemetrySettings(
                service_name=f"penstock-{role}",
                log_level=settings.log_level,
                log_format=settings.log_format,
                log_schema=settings.log_schema,
                redact=settings.redact or (),
                secrets=known_secrets(settings, registry.modules),
                otlp_endpoint=settings.otlp_endpoint,
                spans_file=None if settings.spans_file is None else str(settings.spans_file),
                trace_mode=settings.trace_mode,
                trace_soon=settings.trace_soon,
                trace_slow=settings.trace_slow,
                metrics_tenant_label=settings.metrics_tenant_label,
            )
        )
        self.client = Client(self.store, self.telemetry.seams(), max_waiting=settings.max_waiting)
        log = self.telemetry.logs.logger("penstock")
        self._queues = settings.queues or registry.queues()
        self.permissions = PermissionWatch(self.redis, self._queues, log)
        self._metrics = self.telemetry.metrics_endpoint(self.store)
        self._unbind = list[Callable[[], None]]()
        self._bound = set[Metric]()
        self.bind_metrics([*registry.metrics, *TRANSPORT_METRICS])
        self.telemetry.metrics.objectives.declare(registry.objectives)

    @cached_property
    def history(self) -> "HistoryPart | None":
        """What answers for the history, where one is kept; to be run beside the API.

        Raises `ConfigurationError` for an address that cannot be, and without the extra `history`.
        """
        if self.settings.history_url is None:
            return None
        from penstock.deploy.history_part import HistoryPart
        from penstock.engine.job_history import METRICS, HistorySettings

        self.bind_metrics(METRICS)
        settings = HistorySettings(url=self.settings.history_url)
        return HistoryPart(settings, self.telemetry.seams(), self.telemetry.logs.logger("penstock"))

    @cached_property
    def tokens(self) -> TokenFile | None:
        """The tokens that the API asks for, where it does; to be run beside it.

        Raises `ConfigurationError`.
        """
        self.bind_metrics(HTTP_METRICS)
        if self.settings.tokens_file is None:
            return None
        return TokenFile(self.settings.tokens_file, self.telemetry.logs.logger("penstock"))

    def takes_requests(self, draining: trio.Event) -> bool:
        """Whether the API is ready, as far as this process is concerned."""
        return not draining.is_set() and not self.permissions.refused

    def api(self, draining: trio.Event, *, enter_client: bool) -> tuple[QuartTrio, TelemetryMiddleware]:
        """The API, and the same with telemetry's middleware around it, which is what is served."""
        from penstock.deploy.view_cache import view_cache
        from penstock.engine.cache import METRICS

        tokens = None if self.tokens is None else self.tokens.find
        self.bind_metrics(METRICS)
        app = create_app(
            self.client,
            self.registry,
            metrics=self._metrics if self.settings.metrics_bind is None else None,
            ready=lambda: self.takes_requests(draining),
            enter_client=enter_client,
            draining=draining,
            history=self.history,
            tokens=tokens,
            view_cache=view_cache(),
        )
        apps = {module.name: module.asgi for module in self.registry.modules if module.asgi is not None}
        return app, self.telemetry.middleware(cast(ASGIApp, mounted(app, apps, tokens)))

    def takes_work(self, worker: Worker) -> bool:
        """Whether nothing but its modules may keep a worker from being ready."""
        return worker.ready and not self.permissions.refused

    def probes(self, ready: Ready, ailments: Ailments | None = None) -> QuartTrio:
        """What a worker serves: liveness, readiness, metrics."""
        return create_probes(self.client, ready=ready, metrics=self._metrics, ailments=ailments)

    def probes_for_all(self, overview: Overview) -> QuartTrio:
        """What a supervisor serves for its worker processes, the same routes."""
        metrics = self._metrics = MetricsEndpoint(self.telemetry.metrics, self.store, overview.gather)
        return create_probes(self.client, ready=lambda: overview.ready, metrics=metrics, look=overview.ask)

    @asynccontextmanager
    async def open_bus(self) -> AsyncGenerator[BusPart]:
        """The event bus for the block's length; raises `ConfigurationError` as `bus_part.open_bus`."""
        self.bind_metrics(BUS_METRICS)
        async with open_bus(self.settings.bus, self.redis) as bus:
            yield BusPart(bus, self.redis, self.client, self.registry, self.telemetry)

    def worker(self, bus: BusPart) -> Worker:
        """A worker of the queues that the settings name, or of all that the registry's jobs name.

        Its jobs publish on `bus`. Raises `ConfigurationError`, also for settings of modules.
        """
        settings = self.settings
        registry, seams = with_shipped(self.registry), self.telemetry.seams()
        provided: dict[type[Any], object] = {
            Client: self.client,
            EventPublisher: bus.publisher,
            **shipped(registry, self.redis, seams),
            **read_module_settings(registry.modules, os.environ),
        }
        self.bind_metrics([*shipped_metrics(), *SCHEDULE_METRICS])
        return Worker(
            self.store,
            registry,
            settings.queues,
            WorkerSettings(concurrency=settings.concurrency, lease=settings.lease, grace=settings.grace),
            seams,
            provided=provided,
        )

    async def look_at_store(self) -> None:
        """Have it logged, once the store answers, what about it is not as it should be.

        Raises `UnsuitableServer` where it is too old.
        """
        await look_once(self.redis, self._queues, self.telemetry.logs.logger("penstock"))

    async def watch_store(self) -> None:
        """Have it logged when the store goes away and when it is back, also while nobody asks."""

        async def look() -> None:
            while True:
                with suppress(StoreRefused):  # which is an answer
                    await self.store.ping()
                await trio.sleep(_LOOK)

        await Supervisor(self.store, self.client.seams.observers, random.Random()).keep("api", look)

    async def watch_loop(self) -> None:
        """Measure how late the event loop is, until cancelled."""
        await self.telemetry.watch()

    def bind_metrics(self, metrics: Iterable[Metric]) -> None:
        """Show what a part of the engine counts, until the end; once, however many use that part."""
        fresh = [metric for metric in metrics if metric not in self._bound]
        self._bound.update(fresh)
        self._unbind.append(bind_module_metrics(self.telemetry.metrics, fresh))

    async def aclose(self) -> None:
        """Close the connection and write out what telemetry holds; bounded."""
        for unbind in self._unbind:
            unbind()
        if self.redis.up:  # or it would only take time
            await self._metrics.resign()
        await self.redis.aclose()
        await self.telemetry.aclose()


@asynccontextmanager
async def compose(settings: Settings, registry: Registry, *, role: str) -> AsyncGenerator[Parts]:
    """The parts, the client open; closed at the block's end, also when it is cancelled."""
    parts = Parts(settings, registry, role)
    try:
        async with parts.client:
            yield parts
    finally:
        with trio.CancelScope(shield=True):  # bounded by what it closes: at most telemetry's own timeouts
            await parts.aclose()
