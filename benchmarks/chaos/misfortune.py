"""What will go wrong with one connection through the proxy, drawn from the seed and its number."""

import random
from typing import Literal

import msgspec

Mishap = Literal["none", "cut", "cut_request", "cut_reply", "delay", "stall", "silence"]
"""cut: both ends are closed at once. cut_request: half of the next request is delivered, then it is cut, so
that nothing was executed. cut_reply: a request was executed, then it is cut before its reply. delay: every
piece comes late for a while. stall: nothing moves for a while, then all of it arrives. silence: nothing moves
any more, and nobody is told (half-open)."""

_WEIGHTS: dict[Mishap, int] = {
    "cut": 3,
    "cut_request": 4,
    "cut_reply": 6,
    "delay": 3,
    "stall": 3,
    "silence": 1,
}
MEAN_LIFE = 4.0
"""Seconds that a connection lives in peace, on average."""
_DELAY = 0.1
"""Seconds that a delayed piece is late, at most."""


class Misfortune(msgspec.Struct, frozen=True):
    """In seconds: it comes `after` the opening and lasts `seconds`; a delayed piece is `late`."""

    kind: Mishap = "none"
    after: float = 0.0
    seconds: float = 0.0
    late: float = 0.0


PEACE = Misfortune()


def misfortune(seed: int, name: str, number: int) -> Misfortune:
    """What befalls the connection `number` of the process `name`."""
    rng = random.Random(f"{seed} {name} {number}")
    [kind] = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
    return Misfortune(
        kind,
        after=rng.expovariate(1 / MEAN_LIFE),
        seconds=rng.uniform(0.3, 4.0),
        late=rng.uniform(0.005, _DELAY),
    )
