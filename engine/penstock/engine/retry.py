"""When to try again: delays as a pure function of the attempt's number."""

import random

import msgspec


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Exponential backoff with full jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015).

    The delay before the attempt after number `n` is uniform in [0, min(cap, base · 2ⁿ⁻¹)] seconds;
    without jitter it is the upper end.
    """

    base: float = 1.0
    cap: float = 300.0
    jitter: bool = True

    def ceiling(self, attempt: int) -> float:
        """The longest delay after attempt `attempt` (1 for the first), in seconds."""
        return min(self.cap, self.base * 2.0 ** min(attempt - 1, 62))  # 2^62 is past every cap

    def delay(self, attempt: int, rng: random.Random) -> float:
        """The delay after attempt `attempt`, in seconds."""
        ceiling = self.ceiling(attempt)
        return rng.uniform(0.0, ceiling) if self.jitter else ceiling
