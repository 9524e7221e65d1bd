"""A broker that somebody else started, for the same tests: real ones instead of librdkafka's mock cluster."""

import os
import signal
from collections.abc import Callable

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from penstock.engine.bus.kafka import KafkaSettings

BUS = os.environ.get("PENSTOCK_TEST_KAFKA")
"""The address of the bus, as `--bus` takes it; it makes no topics by itself."""
PROCESS = os.environ.get("PENSTOCK_TEST_KAFKA_PID")
"""The one broker's process, so that it can stand still; else tests that need that are skipped."""
WITHIN = 30.0
PARTITIONS = 4


class RealKafka:
    """The broker at `url`, seen as a `MockKafka`."""

    def __init__(self, url: str, pid: int | None) -> None:
        self.settings = KafkaSettings.of_url(url)
        self.servers = self.settings.servers
        self.pause: Callable[[], None] | None = self._pause if pid else None
        self._pid = pid

    def make_topic(self, topic: str) -> None:
        """Return once there is one."""
        options = self.settings.of_producer()
        secure = {name: value for name, value in options.items() if name.startswith(("sasl", "secur", "ssl"))}
        admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 2, **secure})
        [made] = admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values()
        made.result(WITHIN)

    def resume(self) -> None:
        """Go on."""
        self._send(signal.SIGCONT)

    def _pause(self) -> None:
        """Stand still: connections stay open, nothing is answered."""
        self._send(signal.SIGSTOP)

    def _send(self, number: signal.Signals) -> None:
        if self._pid is not None:
            os.kill(self._pid, number)


def real_kafka() -> RealKafka | None:
    """The one that the environment names, if it does."""
    return RealKafka(BUS, int(PROCESS) if PROCESS else None) if BUS else None
