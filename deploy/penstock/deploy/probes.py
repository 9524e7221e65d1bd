"""What a process without an API serves to orchestrators and scrapers: `/healthz`, `/readyz`, `/metrics`."""

from collections.abc import Awaitable, Callable

from quart import Response
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from penstock.engine.client import Client
from penstock.http.health import Ailments, HealthRoutes, MetricsRenderer
from penstock.http.limits import HttpLimits
from penstock.http.problems import on_error, on_http_exception


def create_probes(
    client: Client,
    *,
    ready: Callable[[], bool],
    metrics: MetricsRenderer,
    look: Callable[[], Awaitable[None]] | None = None,
    ailments: Ailments | None = None,
) -> QuartTrio:
    """The API's own health routes without the API, so that they mean the same everywhere.

    `look` is awaited before `ready` is asked, by those who have to look first; it bounds its own time, as
    does `ailments`, which says what else is wrong.
    """
    app = QuartTrio(__name__, static_folder=None)
    health = HealthRoutes(client, HttpLimits(), ready, metrics, ailments)

    async def look_and_say() -> Response:
        if look is not None:
            await look()
        return await health.ready()

    app.add_url_rule("/healthz", view_func=health.alive)
    app.add_url_rule("/readyz", view_func=look_and_say)
    app.add_url_rule("/metrics", view_func=health.metrics)
    app.register_error_handler(Exception, on_error)
    app.register_error_handler(HTTPException, on_http_exception)
    return app
