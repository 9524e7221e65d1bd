"""The relay of an SQL outbox, wired: the broker it moves jobs to, the log, the traces they go on in."""

from penstock.deploy.composition import Parts
from penstock.deploy.relay_log import log_of_outbox
from penstock.engine.limits import RESULT_TTL
from penstock.engine.registry import Registry
from penstock.engine.sql_outbox import METRICS, OutboxRelay, OutboxSettings
from penstock.engine.sql_outbox.mover import KeptFor


def outbox_relay(parts: Parts, url: str, silence: float | None = None) -> OutboxRelay:
    """The relay of the outbox at `url`; raises `ConfigurationError` for an address that cannot be."""
    settings = OutboxSettings(url=url) if silence is None else OutboxSettings(url=url, silence=silence)
    parts.bind_metrics(METRICS)
    return OutboxRelay(
        settings,
        parts.store,
        parts.telemetry.seams(),
        log_of_outbox(parts.telemetry.logs.logger("penstock")),
        continued=parts.telemetry.tracing.continued,
        kept_for=_declared_in(parts.registry),
        max_waiting=parts.settings.max_waiting,
    )


def _declared_in(registry: Registry) -> KeptFor:
    def kept_for(job: str) -> float:
        definition = registry.get(job)
        return RESULT_TTL if definition is None else definition.policy.result_ttl

    return kept_for
