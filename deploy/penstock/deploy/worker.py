"""`penstock worker`: takes jobs from Redis and runs them."""

from functools import partial

import click
import trio

from penstock.deploy.application import load_application
from penstock.deploy.settings import (
    Settings,
    app_argument,
    metrics_bind_option,
    redis_option,
    takes,
    telemetry_options,
    worker_options,
)
from penstock.deploy.shutdown import drain_on_signal
from penstock.engine.registry import Registry


@click.command(short_help="Run jobs.")
@takes(app_argument(), redis_option, *worker_options, metrics_bind_option, *telemetry_options)
def worker(settings: Settings) -> None:
    """Take jobs from Redis and run them.

    SIGTERM or Ctrl-C drains: what has not started goes back to the queue at once, running jobs get --grace
    seconds, exit code 0; a second signal stops at once with exit code 1. While Redis is away it tries again.

    \b
    Examples:
      penstock worker shop.jobs:images
      penstock worker shop.jobs:images --queues media,mail --concurrency 200
      penstock worker shop.jobs:images --metrics-bind 0.0.0.0:9100
    """
    trio.run(_run, settings, load_application(settings.app))


async def _run(settings: Settings, registry: Registry) -> None:
    from penstock.deploy.composition import compose
    from penstock.http import serve

    async with compose(settings, registry, role="worker") as parts, trio.open_nursery() as nursery:
        worker = parts.worker()
        await nursery.start(drain_on_signal, worker.drain)
        if settings.metrics_bind is not None:
            probes = parts.probes(lambda: worker.ready)
            # They submit and cancel nothing, so they may be reached from elsewhere.
            await nursery.start(partial(serve, probes, settings.metrics_bind, allow_insecure=True))
        await worker.run()
        nursery.cancel_scope.cancel()
