"""The application: handlers bound to the table of routes, errors to problems, the client to its life."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

import msgspec
import trio
from quart import Response
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from penstock.engine.client import Client
from penstock.engine.registry import Registry
from penstock.http import openapi
from penstock.http.batch import BatchRoute, Results
from penstock.http.failures import FailureRoutes
from penstock.http.gate import Gate
from penstock.http.health import HealthRoutes, MetricsRenderer
from penstock.http.history import HistoryReader, HistoryRoutes
from penstock.http.jobs import JobRoutes
from penstock.http.limits import HttpLimits
from penstock.http.pipe import BoundedConnection, BoundedRequest, current_request, scope_of
from penstock.http.problems import on_error, on_http_exception
from penstock.http.queues import QueueRoutes
from penstock.http.routes import ROUTES
from penstock.http.schedules import ScheduleRoutes
from penstock.http.schemas import JSON
from penstock.http.tokens import Find
from penstock.http.views import ViewCache, Views

Handler: TypeAlias = Callable[..., Awaitable[Response]]


def _always() -> bool:
    return True


def create_app(
    client: Client,
    registry: Registry,
    *,
    metrics: MetricsRenderer | None = None,
    ready: Callable[[], bool] = _always,
    limits: HttpLimits | None = None,
    enter_client: bool = True,
    draining: trio.Event | None = None,
    history: HistoryReader | None = None,
    tokens: Find | None = None,
    view_cache: ViewCache | None = None,
) -> QuartTrio:
    """Make the ASGI application, to be served by `penstock.http.serve` or `hypercorn -k trio`.

    With `enter_client` the app enters the client when its lifespan starts and leaves it when the lifespan
    ends; say False where the owner has entered it and keeps it open for as long as the app is served.

    Once `draining` is set, long polls answer with the job as it is: who waits asks another process. Each
    answer closes its connection then, so that whoever asked finds another process for the next request.

    `ready` says whether this process takes work (not starting, not draining); `/readyz` asks it, and the
    store, at each request. `metrics` renders `/metrics`. `history` answers `/v1/history`.
    `view_cache` keeps the answers that are dear to make, for `views.FRESH` seconds.

    `tokens` finds the token of a secret: each request but those for health then needs one, and is refused
    what it does not allow. Without it everybody may do everything.

    For middleware around it, the app leaves in the ASGI scope what it has learnt of a request:
    `penstock.route` (the template, as in `/v1/jobs/{id}`; absent where nothing matched), `penstock.job_id`,
    `penstock.tenant`, `penstock.user`. It reads `penstock.trace_id` from there for its problems.
    """
    limits = limits or HttpLimits()
    app = _Api("penstock.http", static_folder=None)
    draining = trio.Event() if draining is None else draining
    jobs = JobRoutes(client, registry, limits, draining)
    views, gate = Views(view_cache), Gate(tokens)
    handlers = _handlers(
        jobs,
        BatchRoute(client, registry, limits),
        QueueRoutes(client, views),
        FailureRoutes(client, views),
        HistoryRoutes(history, views),
        HealthRoutes(client, limits, ready, metrics),
    )
    handlers |= _schedule_handlers(ScheduleRoutes(client, registry))
    handlers["contract"] = _constant(lambda: openapi.build(ROUTES, registry, tokens=gate.asks))
    handlers["index"] = _constant(_index)
    _bind(app, handlers, gate)
    app.after_request(partial(_take_leave, draining))
    app.register_error_handler(Exception, on_error)
    app.register_error_handler(HTTPException, on_http_exception)
    if enter_client:
        _Hold(app, client)
    return app


class _Api(QuartTrio):
    asgi_http_class = BoundedConnection
    request_class = BoundedRequest


def _handlers(
    jobs: JobRoutes,
    batch: BatchRoute,
    queues: QueueRoutes,
    failures: FailureRoutes,
    history: HistoryRoutes,
    health: HealthRoutes,
) -> dict[str, Handler]:
    """Who answers each route, by its name in the table."""
    return {
        "submit": jobs.submit,
        "submit_batch": batch.submit,
        "show": jobs.show,
        "wait": jobs.wait,
        "cancel": jobs.cancel,
        "queues": queues.show,
        "failures": failures.show,
        "history": history.search,
        "past": history.show,
        "alive": health.alive,
        "ready": health.ready,
        "metrics": health.metrics,
    }


def _schedule_handlers(schedules: ScheduleRoutes) -> dict[str, Handler]:
    return {
        "schedules": schedules.show,
        "pause_schedule": schedules.pause,
        "resume_schedule": schedules.resume,
        "forget_schedule": schedules.forget,
        "fire_schedule": schedules.fire,
    }


def _bind(app: QuartTrio, handlers: dict[str, Handler], gate: Gate) -> None:
    routes = {route.name: route for route in ROUTES}
    for route in ROUTES:
        rule = route.path.replace("{id}", "<job_id>").replace("{name}", "<name>")
        app.add_url_rule(rule, route.name, handlers[route.name], methods=[route.method])

    async def enter() -> None:
        request = current_request()
        scope, route = scope_of(request), routes.get(request.endpoint or "")
        if route is not None:
            scope["penstock.route"] = route.path
        gate.check(scope, route)

    async def finish_body(response: Response) -> Response:
        if not isinstance(response.response, Results):  # a batch reads on while it answers
            await current_request().body.finish()
        return response

    app.before_request(enter)
    app.after_request(finish_body)


async def _take_leave(draining: trio.Event, response: Response) -> Response:
    """Close the connection with this answer; HTTP/2 knows no such header and says it otherwise."""
    if draining.is_set() and current_request().http_version.startswith("1"):
        response.headers["Connection"] = "close"
    return response


def _constant(make: Callable[[], Any]) -> Handler:
    """A handler for what never changes, made when it is first asked for."""
    made: list[bytes] = []

    async def handler() -> Response:
        if not made:
            made.append(msgspec.json.encode(make()))
        return Response(made[0], content_type=JSON)

    return handler


def _index() -> dict[str, Any]:
    return {"penstock": {f"{route.method} {route.path}": route.summary for route in ROUTES}}


class _Hold:
    """Keeps the client open from the start of a lifespan to its end.

    A task of its own does it. The lifespan's task could not: Quart would suspend the client's nursery
    between two calls, and a cancellation in between would unwind the two out of order.
    """

    def __init__(self, app: QuartTrio, client: Client) -> None:
        self._app = app
        self._client = client
        app.before_serving(self._enter)
        app.after_serving(self._leave)

    async def _enter(self) -> None:
        self._stop, self._stopped = trio.Event(), trio.Event()
        await self._app.nursery.start(self._run)

    async def _leave(self) -> None:
        self._stop.set()
        await self._stopped.wait()

    async def _run(self, task_status: trio.TaskStatus[None]) -> None:
        async with self._client:
            task_status.started()
            await self._stop.wait()
        self._stopped.set()
