"""`penstock worker`: takes jobs from Redis and runs them."""

from functools import partial

import click
import trio

from penstock.deploy.application import load_application
from penstock.deploy.options import (
    DEBUG,
    app_argument,
    bus_option,
    metrics_bind_option,
    modules_option,
    processes_option,
    redis_option,
    takes,
    telemetry_options,
    worker_options,
)
from penstock.deploy.settings import Settings
from penstock.deploy.shutdown import drain_on_signal
from penstock.engine.registry import Registry


@click.command(short_help="Run jobs.")
@takes(
    app_argument(),
    modules_option,
    redis_option,
    bus_option,
    processes_option,
    *worker_options,
    metrics_bind_option,
    *telemetry_options,
)
def worker(settings: Settings) -> None:
    """Take jobs from Redis and run them.

    SIGTERM or Ctrl-C drains: what has not started goes back to the queue at once, running jobs get --grace
    seconds, exit code 0; a second signal stops at once with exit code 1. While Redis is away it tries again.

    With --processes N as many worker processes share the work, each with its own --concurrency: for handlers
    that keep a processor busy. One that dies is started again; signals and --metrics-bind are as of one.

    \b
    Examples:
      penstock worker shop.jobs:images
      penstock worker shop.jobs:images --queues media,mail --concurrency 200
      penstock worker shop.jobs:images --processes 4 --metrics-bind 0.0.0.0:9100
    """
    if settings.processes > 1:
        debug = bool(click.get_current_context().meta.get(DEBUG))
        trio.run(_supervise, settings, debug)
    else:
        trio.run(_run, settings, load_application(settings.app, settings.modules or ()))


async def _run(settings: Settings, registry: Registry) -> None:
    from penstock.deploy.composition import compose
    from penstock.http import serve

    async with (
        compose(settings, registry, role="worker") as parts,
        parts.open_bus() as bus,
        trio.open_nursery() as nursery,
    ):
        worker = parts.worker(bus)
        await nursery.start(drain_on_signal, worker.drain)
        if settings.metrics_bind is not None:
            ready = partial(parts.takes_work, worker)
            probes = parts.probes(ready, worker.ailments)
            # They submit and cancel nothing, so they may be reached from elsewhere.
            await nursery.start(partial(serve, probes, settings.metrics_bind, allow_insecure=True))
        nursery.start_soon(parts.look_at_store)
        nursery.start_soon(parts.permissions.run)
        nursery.start_soon(parts.watch_loop)
        nursery.start_soon(bus.run)
        await worker.run()
        nursery.cancel_scope.cancel()


async def _supervise(settings: Settings, debug: bool) -> None:
    from penstock.deploy.composition import compose
    from penstock.deploy.overview import Overview
    from penstock.deploy.supervisor import Supervisor
    from penstock.http import serve

    # The application is the worker processes' alone: what it imports takes no memory here.
    async with compose(settings, Registry([]), role="worker") as parts, trio.open_nursery() as nursery:
        supervisor = Supervisor(settings, parts.telemetry.logs.logger("penstock"), debug=debug)
        await nursery.start(drain_on_signal, supervisor.drain)
        if settings.metrics_bind is not None:
            probes = parts.probes_for_all(Overview(supervisor, parts.telemetry.metrics))
            await nursery.start(partial(serve, probes, settings.metrics_bind, allow_insecure=True))
        nursery.start_soon(parts.look_at_store)  # the worker processes leave it to us
        await supervisor.run()
        nursery.cancel_scope.cancel()
