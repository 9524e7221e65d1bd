"""How to reach Kafka, and how much may be on its way."""

from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from penstock.engine.bus.bus import Begin
from penstock.engine.errors import ConfigurationError

EXPECTED = "kafka://[user:password@]host:9092[,…], kafka+ssl://… (TLS)"
_SCHEMES = {"kafka": False, "kafka+ssl": True}
_OPTIONS = {"ca_file", "sasl_mechanism"}

_ONLY_THE_WORST = 2
"""What librdkafka writes to stderr by itself: syslog's `crit`. Errors come to us as values, counted."""


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Servers, bounds and patience; times are seconds."""

    servers: str
    """Host and port of one broker or more, with commas between."""
    tls: bool = False
    ca_file: str | None = None
    """PEM file of who may vouch for the brokers; the system's authorities where none is named."""
    user: str | None = None
    """Where there is one, SASL tells it to the brokers, with the password."""
    password: str | None = None
    sasl_mechanism: str = "PLAIN"
    """PLAIN shows the password to whoever reads the line: with TLS only. SCRAM-SHA-256 and -512 do not."""
    options: Mapping[str, str | int | float | bool] = {}
    """librdkafka's own, for producers and consumers, such as `client.rack`; they win over what is above."""
    most_on_the_way: int = 10_000
    """Events that may wait for their acknowledgement; whoever publishes more waits."""
    most_bytes_on_the_way: int = 64 * 1024 * 1024
    give_up_after: float = 30.0
    """After which an event that was not acknowledged has failed (`delivery.timeout.ms`)."""
    most_waiting: int = 1_000
    """Received events that wait to be taken; then partitions are paused."""
    statistics_every: float = 5.0
    """How often the lag is renewed."""
    close_within: float = 5.0
    """How long closing may take; a broker that is away is not waited for any longer."""
    begin: Begin = "oldest"

    def __repr__(self) -> str:
        """Where it leads, and as whom, and how: never the password, nor options, where it may stand too."""
        user = f"{self.user}:***@" if self.user else ""
        return f"KafkaSettings({self.security_protocol} {user}{self.servers})"

    @classmethod
    def of_url(cls, url: str) -> Self:
        """The settings that `kafka://user:password@host:port,host:port?ca_file=…&sasl_mechanism=…` names.

        The scheme `kafka+ssl` is the same over TLS. User and password are percent-encoded.
        Raises `ConfigurationError` for anything else; its message has no part of the URL that may be secret.
        """
        try:
            parts = urlsplit(url)
            given = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        except ValueError:
            raise ConfigurationError(f"The address of the bus is malformed; expected {EXPECTED}") from None
        who, _, servers = parts.netloc.rpartition("@")
        user, _, password = who.partition(":")
        if parts.scheme not in _SCHEMES or not servers or parts.path.strip("/"):
            raise ConfigurationError(f"The address of the bus names no brokers; expected {EXPECTED}")
        if unknown := sorted(given.keys() - _OPTIONS):
            raise ConfigurationError(
                f"The bus has no option {', '.join(unknown)}; it has {', '.join(sorted(_OPTIONS))}"
            )
        return cls(
            servers=servers,
            tls=_SCHEMES[parts.scheme],
            user=unquote(user) or None,
            password=unquote(password) or None,
            ca_file=given.get("ca_file"),
            sasl_mechanism=given.get("sasl_mechanism", "PLAIN"),
        )

    @property
    def security_protocol(self) -> str:
        """Kafka's name of how the brokers are spoken to, such as `SASL_SSL`."""
        return f"{'SASL_' if self.user else ''}{'SSL' if self.tls else 'PLAINTEXT'}"

    def of_producer(self) -> dict[str, Any]:
        """What a producer is made of: idempotent, acknowledged by all replicas in sync."""
        return {
            "log_level": _ONLY_THE_WORST,
            "linger.ms": 5,
            **self._security(),
            **self.options,
            "bootstrap.servers": self.servers,
            "enable.idempotence": True,
            "acks": "all",
            "delivery.timeout.ms": round(self.give_up_after * 1000),
            "queue.buffering.max.messages": self.most_on_the_way,
            "queue.buffering.max.kbytes": max(1, self.most_bytes_on_the_way // 1024),
            # As long as a new topic may take to be known everywhere; then it does not exist.
            "topic.metadata.propagation.max.ms": min(10_000, round(self.give_up_after * 1000)),
        }

    def of_consumer(self, group: str) -> dict[str, Any]:
        """What a member of `group` is made of: commits are made by hand, rebalances move what they must."""
        return {
            "log_level": _ONLY_THE_WORST,
            "allow.auto.create.topics": True,  # where the brokers do so: whoever listens first may be early
            # librdkafka's five minutes are how long a member that came just before its topic, or before new
            # partitions of it, would hear nothing.
            "topic.metadata.refresh.interval.ms": 5_000,
            **self._security(),
            **self.options,
            "bootstrap.servers": self.servers,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest" if self.begin == "oldest" else "latest",
            "partition.assignment.strategy": "cooperative-sticky",
            "statistics.interval.ms": round(self.statistics_every * 1000),
            "queued.max.messages.kbytes": 16 * 1024,
        }

    def _security(self) -> dict[str, str]:
        found = {"security.protocol": self.security_protocol}
        if self.ca_file:
            found["ssl.ca.location"] = self.ca_file
        if self.user:
            found["sasl.mechanism"] = self.sasl_mechanism
            found["sasl.username"] = self.user
            found["sasl.password"] = self.password or ""
        return found
