"""The mock cluster that librdkafka carries, in a process of its own: so it can stand still, and die."""

import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from confluent_kafka import Producer

from penstock.engine.bus.kafka import KafkaSettings

_WITHIN = 30.0
_PROGRAM = """
import sys
from confluent_kafka import Producer
cluster = Producer({"test.mock.num.brokers": 2, "bootstrap.servers": "none", "log_level": 0})
brokers = cluster.list_topics(timeout=20).brokers.values()
print(",".join(f"{one.host}:{one.port}" for one in brokers), flush=True)
sys.stdin.read()
"""


class MockKafka:
    """Two brokers at `servers`; a topic is made when it is first spoken of, with four partitions."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.servers = process.stdout.readline().strip()
        self.settings = KafkaSettings(servers=self.servers)
        self._process = process

    def make_topic(self, topic: str) -> None:
        """Speak of a topic, as a producer does that asks for it."""
        Producer({"bootstrap.servers": self.servers, "log_level": 0}).list_topics(topic, _WITHIN)

    def pause(self) -> None:
        """Stand still: connections stay open, nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def mock_kafka() -> Generator[MockKafka]:
    """A cluster until the end of the block."""
    command = [sys.executable, "-c", _PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield MockKafka(process)
        finally:
            process.kill()
