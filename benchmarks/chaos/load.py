"""What the submitters submit: a pure function of the seed, the submitter and the number of the batch."""

import random
from typing import Any

from benchmarks.chaos.jobs import doomed, flaky, hopeless, nap, noop, poison, work
from penstock.engine import Request
from penstock.engine.job_definition import JobDefinition

MAX_BATCH = 16
_TENANTS = (None, "acme", "globex", "initech")
_PRIORITIES = (0, 0, 0, 5, 9)
_KINDS: dict[str, int] = {
    "noop": 8000,
    "nap": 5000,
    "long nap": 80,
    "work": 800,
    "flaky": 1600,
    "hopeless": 400,
    "doomed": 600,
    "poison": 2,  # each takes three workers down, and makes suspects of whatever else they held
}


def batch(seed: int, submitter: str, number: int) -> list[Request]:
    """The requests of one batch; made again they are the same, idempotency keys included."""
    rng = random.Random(f"{seed} {submitter} {number}")
    size = rng.randint(1, MAX_BATCH)
    return [_request(rng, f"{submitter} {number} {place}") for place in range(size)]


def _request(rng: random.Random, key: str) -> Request:
    [kind] = rng.choices(list(_KINDS), list(_KINDS.values()))
    options: dict[str, Any] = {"tenant": rng.choice(_TENANTS), "priority": rng.choice(_PRIORITIES)}
    if rng.random() < 0.5:
        options["idempotency_key"] = key
    if rng.random() < 0.08:
        options["delay"] = rng.uniform(0.2, 3.0)
    if rng.random() < 0.02:
        options["expires_in"] = rng.uniform(0.2, 2.0)
    if rng.random() < 0.03:
        options["unique_key"] = f"only-{rng.randrange(20)}"
    return _call(rng, kind, options)


def _call(rng: random.Random, kind: str, options: dict[str, Any]) -> Request:
    match kind:
        case "nap":
            return nap.using(**options).request(seconds=rng.uniform(0.02, 0.25))
        case "long nap":  # longer than a lease, mostly
            return nap.using(**options).request(seconds=rng.uniform(2.0, 4.0))
        case "work":
            return work.using(**options).request(seconds=rng.uniform(0.0, 0.05))
        case "flaky":
            return flaky.using(**options).request(failures=rng.randint(1, 3))
        case _:
            bare: dict[str, JobDefinition[[], Any]] = {
                "noop": noop,
                "hopeless": hopeless,
                "doomed": doomed,
                "poison": poison,
            }
            return bare[kind].using(**options).request()
