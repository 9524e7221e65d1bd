"""The API for a server that is started by others.

    PENSTOCK_APP=shop.jobs:images hypercorn -k trio penstock.deploy.asgi:app

The settings are those of `penstock api`, from its environment variables; importing this module reads them.
Binding, signals and worker processes are the server's business.
"""

import sys

import click
import trio

from penstock.deploy.api import api, start_beside_api
from penstock.deploy.application import load_application
from penstock.deploy.composition import Parts
from penstock.deploy.settings import settings_of
from penstock.engine.errors import PenstockError
from penstock.telemetry.asgi import TelemetryMiddleware


def create_asgi() -> TelemetryMiddleware:
    """The API with telemetry's middleware around it; opened and closed by the ASGI lifespan.

    Raises `ConfigurationError`, and click's `UsageError` for an environment variable out of its range.
    """
    settings = settings_of(api.make_context("penstock api", []).params)
    parts = Parts(settings, load_application(settings.app, settings.modules or ()), role="api")
    drain = trio.Event()
    app, served = parts.api(drain, enter_client=True)

    async def watch() -> None:
        if parts.history is not None:
            app.nursery.start_soon(parts.history.run)
        for one in (parts.watch_store, parts.watch_loop, parts.look_at_store, parts.permissions.run):
            app.nursery.start_soon(one)
        await start_beside_api(parts, drain, app.nursery)

    app.before_serving(watch)
    app.after_serving(parts.aclose)
    return served


def _create_or_exit() -> TelemetryMiddleware:
    """For a server that imports `app`: what is wrong in one line, as the command line says it."""
    try:
        return create_asgi()
    except (click.ClickException, PenstockError) as error:
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        sys.exit(f"penstock: {message}")


app = _create_or_exit()
