"""How a cache keeps things."""

import msgspec

from penstock.engine.errors import ConfigurationError


class CacheSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds and bytes throughout."""

    value_bytes: int = 1 << 20
    """Most that one value may take, as msgpack; Redis, like any server with one thread, is for small ones."""
    jitter: float = 0.1
    """Up to this share of its time to live an entry ends earlier, so that what was stored together does not
    end together."""
    local_entries: int = 1000
    """Most entries kept in the process; 0 keeps none."""
    local_bytes: int = 16 << 20
    """Most bytes that they may take."""
    local_ttl: float = 1.0
    """How long they are kept: for so long a process may not see what another one has set or deleted."""
    patience: float = 0.5
    """How long the store may take to answer, opening a connection included, before a read goes on without."""
    rest: float = 1.0
    """How long a store that did not answer is not asked for values again."""
    lock: float = 3.0
    """How long after a process's death others may load what it was loading; renewed every third of it."""
    wait: float = 10.0
    """How long a read waits for another process's load before it loads by itself."""

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for what cannot work."""
        if not 1 <= self.value_bytes <= 512 << 20:
            raise ConfigurationError(f"value_bytes is {self.value_bytes}: expected 1 byte to 512 MiB")
        if not 0 <= self.jitter < 1:
            raise ConfigurationError(f"jitter is {self.jitter}: expected 0 to less than 1")
        if min(self.local_entries, self.local_bytes, self.local_ttl, self.rest, self.wait) < 0:
            raise ConfigurationError(
                "local_entries, local_bytes, local_ttl, rest and wait cannot be negative"
            )
        if self.patience <= 0 or self.lock < 0.03:
            raise ConfigurationError("patience must be more than 0 seconds, and lock at least 0.03")
