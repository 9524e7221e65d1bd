"""`penstock relay`: hands every ending to those who keep them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import trio

from penstock.deploy.application import load_application
from penstock.deploy.options import (
    app_argument,
    bus_option,
    debug_option,
    history_option,
    max_waiting_option,
    metrics_bind_option,
    modules_option,
    outbox_option,
    redis_option,
    retention_options,
    telemetry_options,
    worker_options,
)
from penstock.deploy.settings import Settings, settings_of
from penstock.deploy.shutdown import drain_on_signal
from penstock.engine.limits import MAX_ENDINGS
from penstock.engine.registry import Registry

if TYPE_CHECKING:  # the command line is to be quick with --help
    from penstock.deploy.composition import Parts
    from penstock.engine.relay import Relay, Sink
    from penstock.engine.sql_outbox import OutboxRelay

_queues_option = worker_options[0]
_options = (
    app_argument(),
    modules_option,
    redis_option,
    _queues_option,
    history_option,
    *retention_options,
    outbox_option,
    max_waiting_option,
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
    """Hand every ending of APP's queues, at least once, to the history, the bus, webhooks and your own sinks;
    and move jobs that were submitted in an SQL database to the broker, each once.

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
      penstock relay shop.jobs:images --outbox-url postgresql://db/shop
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
    from penstock.http import serve

    async with (
        compose(settings, registry, role="relay") as parts,
        _sinks(parts, given.sinks, given.webhooks, given.events) as sinks,
        trio.open_nursery() as nursery,
    ):
        relays = _relays(parts, sinks, given)

        def drain() -> None:
            for relay in relays:
                relay.drain()

        await nursery.start(drain_on_signal, drain)
        if settings.metrics_bind is not None:
            # Of a sink that is away its lag tells.
            probes = parts.probes(lambda: all(relay.ready for relay in relays))
            # They submit and cancel nothing, so they may be reached from elsewhere.
            await nursery.start(partial(serve, probes, settings.metrics_bind, allow_insecure=True))
        for sink in sinks:
            if isinstance(sink, OpenedSink):
                nursery.start_soon(sink.run)
        nursery.start_soon(parts.look_at_store)
        nursery.start_soon(parts.watch_loop)
        log = parts.telemetry.logs.logger("penstock")
        for relay, serves in relays.items():
            nursery.start_soon(relay.run)
            log.info("relay started", relay=relay.name, **serves)
        for relay in relays:
            await relay.ended.wait()
            log.info("relay stopped", relay=relay.name)
        nursery.cancel_scope.cancel()


def _relays(
    parts: "Parts", sinks: "Sequence[Sink]", given: _Given
) -> "Mapping[Relay | OutboxRelay, Mapping[str, object]]":
    """What this process relays, and what is to be said of it.

    Raises `ConfigurationError` where that is nothing.
    """
    from penstock.deploy.relay_log import log_of_endings
    from penstock.engine.relay import METRICS, Relay, settings_for

    settings, relays = parts.settings, dict["Relay | OutboxRelay", Mapping[str, object]]()
    if settings.outbox_url is not None:
        from penstock.deploy.outbox_part import outbox_relay

        relays[outbox_relay(parts, settings.outbox_url, given.silence)] = {"outbox": True}
    if sinks or not relays:
        parts.bind_metrics(METRICS)
        queues = parts.registry.queues() if settings.queues is None else settings.queues
        tell, seams = log_of_endings(parts.telemetry.logs.logger("penstock")), parts.telemetry.seams()
        how = settings_for(given.silence, given.max_endings)
        relay = Relay(parts.store, queues, sinks, how, seams, tell)
        relays[relay] = {"queues": list(queues), "sinks": [sink.name for sink in sinks]}
    return relays


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
        sinks.append(history_sink(parts.settings, parts.telemetry.seams(), log))
    async with AsyncExitStack() as opened:
        if events:
            sinks.append(BusSink((await opened.enter_async_context(parts.open_bus())).bus))
        yield sinks
