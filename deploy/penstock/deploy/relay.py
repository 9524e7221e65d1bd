"""`penstock relay`: hands every ending to those who keep them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import trio

from penstock.deploy.application import load_application
from penstock.deploy.settings import (
    Settings,
    app_argument,
    bus_option,
    debug_option,
    history_option,
    metrics_bind_option,
    modules_option,
    redis_option,
    settings_of,
    telemetry_options,
    worker_options,
)
from penstock.deploy.shutdown import drain_on_signal
from penstock.engine.limits import MAX_ENDINGS
from penstock.engine.registry import Registry

if TYPE_CHECKING:  # the command line is to be quick with --help
    from penstock.deploy.composition import Parts
    from penstock.engine.relay import Fact, Sink

_queues_option = worker_options[0]
_options = (
    app_argument(),
    modules_option,
    redis_option,
    _queues_option,
    history_option,
    click.option(
        "--sink",
        "sinks",
        multiple=True,
        envvar="PENSTOCK_SINKS",
        show_envvar=True,
        metavar="NAME",
        help="Hand endings to this sink too, package.module:attribute; as often as there are sinks.",
    ),
    click.option(
        "--webhook",
        "webhooks",
        multiple=True,
        envvar="PENSTOCK_WEBHOOKS",
        show_envvar=True,
        metavar="ENDPOINT",
        help="Have the end of each job delivered to this endpoint, by workers that have the module webhooks.",
    ),
    click.option(
        "--events",
        is_flag=True,
        envvar="PENSTOCK_EVENTS",
        show_envvar=True,
        help="Publish each ending on the bus, in the topic penstock.jobs.",
    ),
    bus_option,
    click.option(
        "--max-endings",
        type=click.IntRange(1),
        default=MAX_ENDINGS,
        show_default=True,
        envvar="PENSTOCK_MAX_ENDINGS",
        show_envvar=True,
        metavar="N",
        help="Endings of a queue that may wait for its slowest sink; beyond that it takes no more jobs.",
    ),
    click.option(
        "--silence",
        type=click.FloatRange(1, 3600),
        default=30.0,
        show_default=True,
        envvar="PENSTOCK_SILENCE",
        show_envvar=True,
        metavar="SECONDS",
        help="Seconds after a relay's death until others take over what it had; a sink gets a third of it.",
    ),
    metrics_bind_option,
    *telemetry_options,
    debug_option,
)


def _relay(**given: Any) -> None:
    """Hand every ending of APP's queues, at least once, to the history, the bus, webhooks and your own sinks.

    Any number of relays may run at once: they share the work, and have what one had when it died. From its
    first start on a sink is registered: endings wait for it until it has them, however long it is away.
    `penstock relays --forget SINK` unregisters one that is not wanted any more.

    SIGTERM or Ctrl-C finishes the batches under way, exit code 0. While Redis or a sink is away it tries
    again.

    \b
    Examples:
      penstock relay shop.jobs:images --history-url postgresql://db/penstock
      penstock relay shop.jobs:images --sink shop.ledger:sink --metrics-bind 0.0.0.0:9102
      penstock relay shop.jobs:images --events --webhook billing
    """
    own = _Given(**{name: given.pop(name) for name in _Given._fields})
    settings = settings_of(given)
    trio.run(_run, settings, load_application(settings.app, settings.modules or ()), own)


for _option in reversed(_options):
    _relay = _option(_relay)
relay = click.command("relay", short_help="Hand every ending to the history and others.")(_relay)


class _Given(NamedTuple):
    sinks: Sequence[str]
    webhooks: Sequence[str]
    events: bool
    max_endings: int
    silence: float


async def _run(settings: Settings, registry: Registry, given: _Given) -> None:
    from penstock.deploy.composition import compose
    from penstock.deploy.sinks import OpenedSink
    from penstock.engine.relay import METRICS, Relay, settings_for
    from penstock.http import serve

    async with (
        compose(settings, registry, role="relay") as parts,
        _sinks(parts, given.sinks, given.webhooks, given.events) as sinks,
        trio.open_nursery() as nursery,
    ):
        parts.bind_metrics(METRICS)
        queues = registry.queues() if settings.queues is None else settings.queues
        tell, seams = partial(_log, parts), parts.telemetry.seams()
        relay = Relay(parts.store, queues, sinks, settings_for(given.silence, given.max_endings), seams, tell)
        await nursery.start(drain_on_signal, relay.drain)
        if settings.metrics_bind is not None:
            probes = parts.probes(lambda: relay.ready)  # of a sink that is away its lag tells
            # They submit and cancel nothing, so they may be reached from elsewhere.
            await nursery.start(partial(serve, probes, settings.metrics_bind, allow_insecure=True))
        for sink in sinks:
            if isinstance(sink, OpenedSink):
                nursery.start_soon(sink.run)
        nursery.start_soon(parts.look_at_store)
        nursery.start_soon(parts.watch_loop)
        log = parts.telemetry.logs.logger("penstock")
        await nursery.start(relay.run)
        log.info("relay started", relay=relay.name, queues=list(queues), sinks=[sink.name for sink in sinks])
        await relay.ended.wait()
        log.info("relay stopped", relay=relay.name)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _sinks(
    parts: "Parts", names: Sequence[str], webhooks: Sequence[str], events: bool
) -> "AsyncGenerator[list[Sink]]":
    from penstock.deploy.ending_sinks import BusSink, WebhookSink
    from penstock.deploy.sinks import history_sink, load_sink

    log = parts.telemetry.logs.logger("penstock")
    sinks: list[Sink] = [load_sink(name, log) for name in names]
    sinks += [WebhookSink(endpoint, parts.client) for endpoint in webhooks]
    if parts.settings.history_url is not None:
        from penstock.engine import job_history

        parts.bind_metrics(job_history.METRICS)
        sinks.append(history_sink(parts.settings.history_url, parts.telemetry.seams(), log))
    async with AsyncExitStack() as opened:
        if events:
            sinks.append(BusSink((await opened.enter_async_context(parts.open_bus())).bus))
        yield sinks


def _log(parts: "Parts", fact: "Fact") -> None:
    from penstock.engine.relay import SinkFailed, SinkRecovered

    log, place = parts.telemetry.logs.logger("penstock"), {"sink": fact.sink, "queue": fact.queue}
    match fact:
        case SinkFailed(failures=1):
            log.warning(
                "sink did not take endings, trying again", error=_said(fact.error), delay=fact.delay, **place
            )
        case SinkFailed():
            log.debug(
                "sink did not take endings again", error=_said(fact.error), failures=fact.failures, **place
            )
        case SinkRecovered():
            log.info("sink takes endings again", failures=fact.failures, **place)
        case _:
            log.error(
                "endings set aside, nobody can read them", count=fact.count, example=fact.example, **place
            )


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
