"""How much an outgoing request may take, how often it is tried, and where it may go."""

import msgspec

from penstock.engine.errors import ConfigurationError
from penstock.engine.outgoing.hosts import HostPatterns
from penstock.engine.retry import Backoff


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one client. Seconds and bytes; hosts are patterns as `HostPatterns` reads them.

    Raises `ConfigurationError` where one is out of its range.
    """

    timeout: float = 10.0
    """For one attempt, from the wait for a connection to the last byte of the body."""
    connect_timeout: float = 5.0
    """For its name's resolution and its connection, over all addresses that the host has."""
    total_timeout: float = 60.0
    """For all attempts, the waits between them and redirects. What is left of the job's time bounds both."""
    retries: int = 2
    """Attempts after the first, of requests that may be repeated."""
    backoff: Backoff = Backoff(base=0.5, cap=10.0)
    max_retry_after: float = 30.0
    """A host that asks for a longer pause gets no further attempt; its answer is the caller's."""
    max_connections: int = 100
    max_idle_connections: int = 20
    max_response: int = 10 * 1024 * 1024
    """Of a body, as it is sent and as it is decompressed."""
    max_redirects: int = 0
    """0 follows none: the answer is the redirect."""
    failures_to_open: int = 5
    """Failures in a row after which a host is left alone for `open_for` seconds."""
    open_for: float = 30.0
    trace_to: tuple[str, ...] = ()
    """Hosts that see the trace context."""
    measured_hosts: tuple[str, ...] = ()
    """Hosts that have a label of their own in metrics; all others are `__other__`."""
    allow_private: bool = False
    """Whether it may go to loopback, private and other addresses that are not the public internet's."""
    show_paths: bool = True
    """Whether spans and errors name paths; False where they are secrets, as in many chat services' hooks."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("timeout", "connect_timeout", "total_timeout", "max_connections", "max_response",
                     "failures_to_open", "open_for"):  # fmt: skip
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name} is {getattr(self, name)}: expected more than 0")
        for name in ("retries", "max_retry_after", "max_idle_connections", "max_redirects"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"{name} is {getattr(self, name)}: expected 0 or more")
        HostPatterns(self.trace_to)
        HostPatterns(self.measured_hosts)
