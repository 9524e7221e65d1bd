"""`penstock api`: the HTTP front end."""

from typing import TYPE_CHECKING

import click
import trio

from penstock.deploy.application import load_application
from penstock.deploy.settings import (
    Settings,
    app_argument,
    bind_option,
    history_option,
    insecure_option,
    max_waiting_option,
    modules_option,
    redis_option,
    takes,
    telemetry_options,
)
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
    max_waiting_option,
    history_option,
    *telemetry_options,
)
def api(settings: Settings) -> None:
    """Serve the HTTP API: submit jobs, watch them, metrics and health.

    SIGTERM or Ctrl-C drains: no new connection, running requests finish, long polls answer, exit code 0; a
    second signal stops at once with exit code 1. While Redis is away it stays up, /readyz says 503, and it
    tries again.

    \b
    Examples:
      penstock api shop.jobs:images
      penstock api shop.jobs:images --bind 127.0.0.1:9000 --redis redis://10.0.0.5
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
        await serve_api(parts, drain)
        nursery.cancel_scope.cancel()


async def serve_api(
    parts: "Parts", drain: trio.Event, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve until `drain`, then finish the requests that run. Started with its URL."""
    from penstock.http import serve

    settings = parts.settings
    _, app = parts.api(drain, enter_client=False)
    await serve(
        app,
        settings.bind,
        shutdown=drain,
        allow_insecure=settings.allow_insecure,
        task_status=task_status,
    )
