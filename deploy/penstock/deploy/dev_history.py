"""The history that `penstock dev` keeps in its data folder, so that searching works from the first job on."""

import logging
from importlib.util import find_spec

import msgspec
import trio

from penstock.deploy.composition import Parts
from penstock.deploy.relay_log import log_of_endings
from penstock.deploy.settings import Settings
from penstock.deploy.sinks import HISTORY, history_sink
from penstock.engine.relay import METRICS, Relay


async def with_history(settings: Settings) -> Settings:
    """The settings with the address of a history that is there and up to date.

    They come back as they are with `--no-history`, and where the extra `history` is not installed. Raises
    `ConfigurationError` where a newer version has made its tables.
    """
    if not settings.history or find_spec("sqlalchemy") is None or find_spec("alembic") is None:
        return settings
    from penstock.engine.job_history import HistorySettings, upgrade

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it says each time which database it is
    url = f"sqlite:///{(settings.data / 'history.db').absolute()}"
    await trio.to_thread.run_sync(upgrade, HistorySettings(url=url))
    return msgspec.structs.replace(settings, history_url=url)


async def keep_history(parts: Parts, nursery: trio.Nursery) -> Relay | None:
    """Open it for the API, and have endings written to it until the relay that is returned has drained.

    None where no history is kept: then no ending waits for one any longer. Nobody would take them, until the
    queues took no more jobs.
    """
    queues = parts.registry.queues() if parts.settings.queues is None else parts.settings.queues
    if parts.settings.history_url is None:
        for queue in queues:
            await parts.store.outbox.withdraw(queue, HISTORY)
    if parts.settings.history_url is None or not queues:
        return None
    log, seams = parts.telemetry.logs.logger("penstock"), parts.telemetry.seams()
    sink = history_sink(parts.settings, seams, log)
    relay = Relay(parts.store, queues, [sink], seams=seams, tell=log_of_endings(log))
    parts.bind_metrics(METRICS)
    nursery.start_soon(sink.run)
    if parts.history is not None:
        nursery.start_soon(parts.history.run)
    await nursery.start(relay.run)
    return relay
