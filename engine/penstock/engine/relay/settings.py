"""How a relay works. All have defaults that need no thought."""

import msgspec

from penstock.engine.errors import ConfigurationError
from penstock.engine.limits import MAX_ENDINGS
from penstock.engine.retry import Backoff

MARGIN = 1.2
"""How many times as long as a living relay may wait the silence has to be: the store takes its time too."""


class RelaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Durations in seconds."""

    batch: int = 1_000
    """Endings handed over at once, and held in memory for each queue and sink, at most; fewer where they are
    large (`portion.py`)."""
    timeout: float = 10.0
    """How long a sink may take for them."""
    backoff: Backoff = Backoff(base=0.25, cap=10.0)
    """Between tries of a sink that fails."""
    silence: float = 30.0
    """How long after its last word to the store a relay counts as dead and others take over what it had."""
    most: int = MAX_ENDINGS
    """Endings of one queue that may wait before it takes no more jobs."""
    look: float = 5.0
    """A relay that waits for endings asks again after so long, in case another has died meanwhile."""
    grace: float = 15.0
    """When draining, how long the batches under way may take."""

    def __post_init__(self) -> None:
        if not (1 <= self.batch <= 1000 and self.most >= 1 and min(self.timeout, self.look) > 0):
            raise ConfigurationError(
                "a relay's batch is 1 to 1,000 endings, most at least 1, timeout and look positive"
            )
        least = MARGIN * (self.timeout + self.backoff.cap)
        if self.silence < least:
            raise ConfigurationError(
                f"silence is {self.silence:g} s; a relay that waits {self.timeout:g} s for a sink and then "
                f"pauses {self.backoff.cap:g} s needs {least:g} s at least"
            )


def settings_for(silence: float, most: int = MAX_ENDINGS) -> RelaySettings:
    """A third of the silence for the sink, and at most another for the pause after it."""
    backoff = Backoff(base=0.25, cap=min(10.0, silence / 3))
    return RelaySettings(timeout=silence / 3, backoff=backoff, silence=silence, most=most)
