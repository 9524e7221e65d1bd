"""`penstock api`: the HTTP front end."""

from functools import partial
from typing import TYPE_CHECKING

import click
import trio

from penstock.deploy.application import load_application
from penstock.deploy.options import (
    app_argument,
    bind_option,
    history_option,
    insecure_option,
    linger_option,
    max_waiting_option,
    metrics_bind_option,
    modules_option,
    redis_option,
    takes,
    telemetry_options,
    tokens_file_option,
)
from penstock.deploy.settings import Settings
from penstock.deploy.shutdown import drain_on_signal
from penstock.engine.registry import Registry

if TYPE_CHECKING:
    from penstock.deploy.composition import Parts


@click.command(short_help="Serve the HTTP API.")
@takes(
    app_argument(),
    modules_option,
    redis_option,
    bind_option,
    insecure_option,
    tokens_file_option,
    metrics_bind_option,
    linger_option,
    max_waiting_option,
    history_option,
    *telemetry_options,
)
def api(settings: Settings) -> None:
    """Serve the HTTP API: submit jobs, watch them, metrics and health.

    SIGTERM or Ctrl-C drains: /readyz says 503 and long polls answer at once, each answer closes its
    connection, and after --linger seconds no new connection is taken; running requests finish, exit code 0.
    A second signal stops at once with exit code 1. While Redis is away it stays up, /readyz says 503, and it
    tries again.

    \b
    Examples:
      penstock api shop.jobs:images
      penstock api shop.jobs:images --bind 127.0.0.1:9000 --redis redis://10.0.0.5
      penstock api shop.jobs:images --bind 0.0.0.0:8181 --tokens-file tokens --metrics-bind 0.0.0.0:9100
    """
    trio.run(_run, settings, load_application(settings.app, settings.modules or ()))


async def _run(settings: Settings, registry: Registry) -> None:
    from penstock.deploy.composition import compose

    async with compose(settings, registry, role="api") as parts, trio.open_nursery() as nursery:
        drain = trio.Event()
        await nursery.start(drain_on_signal, drain.set)
        for watch in (parts.watch_store, parts.watch_loop, parts.look_at_store, parts.permissions.run):
            nursery.start_soon(watch)
        if parts.history is not None:
            nursery.start_soon(parts.history.run)
        await start_beside_api(parts, drain, nursery)
        await serve_api(parts, drain)
        nursery.cancel_scope.cancel()


async def start_beside_api(parts: "Parts", drain: trio.Event, nursery: trio.Nursery) -> None:
    """Start the watch over the tokens, and metrics and health on a port of their own, where wanted."""
    from penstock.http import serve

    if parts.tokens is not None:
        nursery.start_soon(parts.tokens.run)
    if parts.settings.metrics_bind is not None:
        probes = parts.probes(lambda: parts.takes_requests(drain))
        # They submit and cancel nothing, so they may be reached from elsewhere.
        await nursery.start(partial(serve, probes, parts.settings.metrics_bind, allow_insecure=True))


async def serve_api(
    parts: "Parts", drain: trio.Event, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve until `drain` and a little on (`--linger`), then finish the requests that run.

    Started with its URL.
    """
    from penstock.http import serve

    settings = parts.settings
    _, app = parts.api(drain, enter_client=False)
    await serve(
        app,
        settings.bind,
        shutdown=drain,
        allow_insecure=settings.allow_insecure or parts.tokens is not None,
        linger=settings.linger,
        task_status=task_status,
    )
