"""`penstock relays`: which sinks endings wait for and how far behind they are; and forgetting one."""

import json
from collections.abc import Sequence

import click
import trio

from penstock.deploy.options import debug_option, redis_option, worker_options
from penstock.deploy.settings import Settings, settings_of
from penstock.engine.outbox import Backlog, SinkBacklog, check_sink
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import open_link


@click.command(short_help="Show which sinks endings wait for.")
@redis_option
@worker_options[0]
@click.option(
    "--forget", metavar="SINK", help="Unregister this sink: what waits for it alone is thrown away."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@debug_option
def relays(redis: str, queues: Sequence[str] | None, forget: str | None, as_json: bool) -> None:
    """List every sink that is registered, by queue: endings not acknowledged, age of the oldest, relays.

    A sink is registered by the first relay that serves it, and stays so. One that nobody serves any more
    holds its endings in Redis until the queue takes no more jobs: --forget it. One whose relays still run is
    registered again by them, from then on.

    \b
    Examples:
      penstock relays
      penstock relays --forget ledger --queues media
    """
    given = {"redis": redis} if queues is None else {"redis": redis, "queues": queues}
    for line in trio.run(_asked, settings_of(given), forget, as_json):
        click.echo(line)


async def _asked(settings: Settings, forget: str | None, as_json: bool) -> list[str]:
    link = open_link(settings.redis)
    try:
        store = RedisStore(link)
        queues = settings.queues if settings.queues is not None else await store.queues()
        if forget is not None:
            return await _forget(store, queues, check_sink(forget))
        found = [(queue, await store.outbox.backlog(queue)) for queue in queues]
    finally:
        await link.aclose()
    if as_json:
        return [json.dumps(row) for queue, backlog in found for row in _rows(queue, backlog)]
    return [line for queue, backlog in found for line in _lines(queue, backlog)] or ["no sinks"]


async def _forget(store: RedisStore, queues: Sequence[str], sink: str) -> list[str]:
    left = [(queue, await store.outbox.withdraw(queue, sink)) for queue in queues]
    lines = [
        f"{queue}: {sink} unregistered; {count:,} endings had not reached it"
        for queue, count in left
        if count is not None
    ]
    return lines or [f"no queue knows a sink {sink}"]


def _rows(queue: str, backlog: Backlog) -> list[dict[str, object]]:
    return [
        {
            "queue": queue,
            "sink": sink.sink,
            "behind": sink.behind,
            "oldest_seconds": _age(backlog, sink.since),
            "relays": sink.relays,
            "most": backlog.most,
            "aside": backlog.aside,
        }
        for sink in backlog.sinks
    ]


def _lines(queue: str, backlog: Backlog) -> list[str]:
    lines = [
        f"{queue}: {sink.sink} {_how_far(sink, backlog)}; relays: {sink.relays}" for sink in backlog.sinks
    ]
    if backlog.aside:
        lines.append(f"{queue}: {backlog.aside} endings set aside that nobody can read")
    return lines


def _how_far(sink: SinkBacklog, backlog: Backlog) -> str:
    if sink.behind == 0:
        return "has everything"
    age = _age(backlog, sink.since)
    return f"is {sink.behind:,} endings behind (of {backlog.most:,}), the oldest {age:.1f} s old"


def _age(backlog: Backlog, since: int | None) -> float:
    return 0.0 if since is None else max(0, backlog.now - since) / 1000
