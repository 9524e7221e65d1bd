"""How to reach Kafka, and how much may be on its way."""

from collections.abc import Mapping
from typing import Any

import msgspec

from penstock.engine.bus.bus import Begin

_ONLY_THE_WORST = 2
"""What librdkafka writes to stderr by itself: syslog's `crit`. Errors come to us as values, counted."""


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Servers, bounds and patience; times are seconds."""

    servers: str
    """Host and port of one broker or more, with commas between."""
    options: Mapping[str, str | int | float | bool] = {}
    """librdkafka's own, for producers and consumers, such as `security.protocol` and `sasl.password`."""
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

    def of_producer(self) -> dict[str, Any]:
        """What a producer is made of: idempotent, acknowledged by all replicas in sync."""
        return {
            "log_level": _ONLY_THE_WORST,
            "linger.ms": 5,
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
