"""`penstock dev`: everything in one process, for one developer."""

import json
import time
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import click
import msgspec
import trio
from rich.console import Console
from rich.markup import escape

from penstock.deploy.api import serve_api
from penstock.deploy.application import load_application
from penstock.deploy.embedded import EmbeddedServer
from penstock.deploy.options import (
    app_argument,
    bind_option,
    bus_option,
    dev_history_option,
    max_waiting_option,
    modules_option,
    outbox_option,
    server_options,
    takes,
    telemetry_options,
    worker_options,
)
from penstock.deploy.settings import DEFAULT_API, Settings
from penstock.deploy.shutdown import drain_on_signal
from penstock.engine.registry import Registry

if TYPE_CHECKING:  # the command line is to be quick with --help
    from penstock.deploy.composition import Parts
    from penstock.engine.sql_outbox import OutboxRelay


@click.command(short_help="Everything in one process: server, API and worker.")
@takes(
    app_argument(),
    modules_option,
    bind_option,
    bus_option,
    max_waiting_option,
    dev_history_option,
    outbox_option,
    *server_options,
    *worker_options,
    *telemetry_options,
)
def dev(settings: Settings) -> None:
    """Run an embedded Valkey, the API and a worker in one process; jobs are kept in .penstock/.

    So is a history of those that have ended, for `penstock history` and GET /v1/history. With --outbox-url
    jobs that were submitted in an SQL database are moved here.

    Ctrl-C drains: running jobs get --grace seconds; what waits is still there at the next start. A second
    Ctrl-C stops at once.

    \b
    Examples:
      penstock dev examples.codeindex:index
      penstock dev shop.jobs:images --bind 127.0.0.1:9000 --data /var/tmp/shop
    """
    trio.run(_run, settings, load_application(settings.app, settings.modules or ()))


async def _run(settings: Settings, registry: Registry) -> None:
    from penstock.deploy.composition import compose
    from penstock.deploy.dev_history import keep_history, with_history

    server = EmbeddedServer.open(settings.data / "valkey", executable=settings.redis_server)
    async with server as embedded:
        settings = await with_history(msgspec.structs.replace(settings, redis=embedded.url))
        async with (
            compose(settings, registry, role="dev") as parts,
            parts.open_bus() as bus,
            trio.open_nursery() as nursery,
        ):
            worker, drain = parts.worker(bus), trio.Event()

            def drain_both() -> None:
                drain.set()
                worker.drain()

            await nursery.start(drain_on_signal, drain_both)
            nursery.start_soon(parts.look_at_store)
            nursery.start_soon(parts.permissions.run)
            nursery.start_soon(parts.watch_loop)
            nursery.start_soon(bus.run)
            relays = [await keep_history(parts, nursery), _move_outbox(parts, nursery)]
            async with trio.open_nursery() as working:
                url = await working.start(partial(serve_api, parts, drain))
                working.start_soon(worker.run)
                _welcome(url, embedded, registry)
            for relay in relays:
                if relay is not None:
                    relay.drain()
                    await relay.ended.wait()
            nursery.cancel_scope.cancel()


def _move_outbox(parts: "Parts", nursery: trio.Nursery) -> "OutboxRelay | None":
    if parts.settings.outbox_url is None:
        return None
    from penstock.deploy.outbox_part import outbox_relay

    relay = outbox_relay(parts, parts.settings.outbox_url)
    nursery.start_soon(relay.run)
    return relay


def _welcome(url: str, embedded: EmbeddedServer, registry: Registry) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print("\n[bold]Penstock[/] is up. Ctrl-C stops it and keeps the jobs.\n")
    for name, place in (("API", url), ("Valkey", embedded.url), ("data", embedded.folder)):
        console.print(f"  [dim]{name:<8}[/]{escape(str(place))}")
    for schedule in registry.schedules:
        moment = datetime.fromtimestamp(schedule.moments.after(time.time_ns() // 1_000_000) / 1000)
        console.print(
            escape(f"  {schedule.name} comes by itself, next {moment:%Y-%m-%d %H:%M:%S}"), style="dim"
        )
    job = next(iter(registry), None)
    if job is None:
        return
    needed = [text.partition(":")[0] for text in job.signature.describe() if " = " not in text]
    body = json.dumps({"job": job.name, "args": dict.fromkeys(needed, "...")})
    words = " ".join(["penstock submit", job.name, *(f"{name}=..." for name in needed)])
    console.print("\n  Submit a job, from a shell or over HTTP:")
    console.print(
        escape(f"    {words} --wait" + (f" --api {url}" if url != DEFAULT_API else "")), style="cyan"
    )
    console.print(escape(f"    curl {url}/v1/jobs --json '{body}'"), style="cyan")
    console.print()
