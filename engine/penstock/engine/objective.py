"""What a queue promises: how soon its jobs start, and how many of them end well.

Declared beside the jobs, so that whoever writes `queue="media"` says what it is good for. The engine does
nothing about it; telemetry shows it beside what happens, and alerts compare the two (docs/objectives.md).
"""

from collections.abc import Iterable, Mapping
from math import isfinite

import msgspec

from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.engine.names import check_queue

LEAST_SHARE = 0.95
"""An alert at 14.4 times the allowed share of late jobs (docs/objectives.md) could never fire where that
share is above 1/14.4; 5 % leave it room. Who can live with more late jobs promises a longer wait instead."""


class Objective(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`share` of a queue's jobs start within `wait` seconds of being due, and `success` of them succeed.

    A retry counts as a job that waited, from when it was due. A job has not succeeded where it became a dead
    letter or expired; one that failed and then succeeded has, and one that was cancelled counts as neither.
    """

    wait: float
    """Seconds."""
    share: float = 0.99
    success: float = 0.99


Objectives = Mapping[str, Objective]
"""By queue."""


def check_objectives(module: str, objectives: Objectives) -> dict[str, Objective]:
    """A copy of them; raises `ConfigurationError` for a malformed queue and what nobody can keep or miss."""
    for queue, objective in objectives.items():
        whose = f"objective of queue {queue!r} in module {module}"
        try:
            check_queue(queue)
        except InvalidRequest as error:
            raise ConfigurationError(f"{whose}: {error}") from error
        if not (isfinite(objective.wait) and objective.wait > 0):
            raise ConfigurationError(f"{whose}: wait is {objective.wait}: expected seconds above 0")
        for field in ("share", "success"):
            value: float = getattr(objective, field)
            if not LEAST_SHARE <= value < 1:
                raise ConfigurationError(
                    f"{whose}: {field} is {value}: expected {LEAST_SHARE} to below 1, as in 0.99"
                )
    return dict(objectives)


def collect_objectives(declared: Iterable[tuple[str, Objectives]]) -> dict[str, Objective]:
    """Those of all modules, by queue; raises `ConfigurationError` where two modules disagree on one."""
    first: dict[str, tuple[str, Objective]] = {}
    for module, objectives in declared:
        for queue, objective in objectives.items():
            other, promised = first.setdefault(queue, (module, objective))
            if promised != objective:
                raise ConfigurationError(
                    f"modules {other} and {module} declare different objectives of queue {queue}: "
                    f"{promised} and {objective}"
                )
    return {queue: objective for queue, (_, objective) in first.items()}
