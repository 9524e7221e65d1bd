"""The thread that polls a Kafka consumer: it waits, so that the loop does not."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import trio
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from penstock.engine.bus import kafka_message
from penstock.engine.bus.bus import BATCH, Event
from penstock.engine.bus.errors import BusRefused, BusUnavailable
from penstock.engine.bus.kafka_commit import Place
from penstock.engine.bus.kafka_errors import exception
from penstock.engine.bus.kafka_settings import KafkaSettings
from penstock.engine.bus.kafka_statistics import read_lag

_LOOK_UP = 0.2
"""Seconds after which the thread sees whether it is to end; messages and answers wake it at once."""
_QUICK = 0.01
"""The same within a second of a message or a commit: a commit is likely to be asked for, and wakes nobody."""

Item = tuple[str, int, int, Event]
"""Topic, partition, offset, and what stands there."""


class Ear(Protocol):
    """Who hears of it all, in the loop's own thread and in order."""

    @property
    def waiting(self) -> int:
        """Events that have not been taken yet; asked from the polling thread."""
        ...

    def came(self, items: Sequence[Item]) -> None:
        """Messages."""
        ...

    def assigned(self, places: Sequence[Place]) -> None:
        """Partitions are ours from now on."""
        ...

    def revoked(self, places: Sequence[Place]) -> None:
        """Partitions are ours no more."""
        ...

    def committed(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """The answer to a commit."""
        ...

    def measured(self, lag: dict[Place, int]) -> None:
        """How far behind we are."""
        ...

    def failed(self, error: BusUnavailable | BusRefused) -> None:
        """Waiting is in vain."""
        ...

    def ended(self) -> None:
        """The consumer is closed; nothing more is told."""
        ...


class Poller:
    """Owns a consumer from `start` to `ended`; `commit` and `stop` are called from elsewhere."""

    def __init__(self, settings: KafkaSettings, group: str, topics: Sequence[str], ear: Ear) -> None:
        self._settings = settings
        self._group = group
        self._topics = list(topics)
        self._ear = ear
        self._token = trio.lowlevel.current_trio_token()
        self._requests: deque[list[TopicPartition]] = deque()
        self._quick_until = 0.0
        self._stop = threading.Event()
        self._paused = False
        # A daemon: should librdkafka ever hang, the process can still end.
        self._thread = threading.Thread(target=self._run, name="kafka consumer", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the group, soon."""
        self._stop.set()

    def commit(self, offsets: list[TopicPartition]) -> None:
        """Ask for a commit; the ear hears the answer.

        The thread asks, for it polls: `Consumer.commit` from another thread keeps the interpreter's lock
        while it waits for a rebalance, whose callback waits for that lock.
        """
        self._requests.append(offsets)

    def _run(self) -> None:
        try:
            consumer = Consumer(self._configuration())
            try:
                consumer.subscribe(
                    self._topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
                )
                while not self._stop.is_set():
                    self._poll(consumer)
            finally:
                consumer.close()
        except Exception as error:  # told to whoever receives
            self._tell(self._ear.failed, BusRefused(f"Kafka: {error}"))
        self._tell(self._ear.ended)

    def _configuration(self) -> dict[str, Any]:
        return {
            **self._settings.of_consumer(self._group),
            "on_commit": self._committed,
            "stats_cb": self._measured,
            "error_cb": self._troubled,
        }

    def _poll(self, consumer: Consumer) -> None:
        self._throttle(consumer)
        if self._requests:
            self._ask(consumer, self._requests.popleft())
        quick = time.monotonic() < self._quick_until
        first = consumer.poll(_QUICK if quick else _LOOK_UP)
        if first is None:
            return
        self._quick_until = time.monotonic() + 1.0
        messages = [first, *consumer.consume(BATCH - 1, 0)]
        items = [item for message in messages if (item := self._item(message)) is not None]
        if items:
            self._tell(self._ear.came, items)

    def _ask(self, consumer: Consumer, offsets: list[TopicPartition]) -> None:
        self._quick_until = time.monotonic() + 1.0
        try:
            consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            self._tell(self._ear.committed, error.args[0], offsets)

    def _throttle(self, consumer: Consumer) -> None:
        """Pause while too much waits; polling goes on, or the group would take us for dead."""
        waiting = self._ear.waiting
        if waiting >= self._settings.most_waiting:
            consumer.pause(consumer.assignment())  # each time: some may have been assigned meanwhile
            self._paused = True
        elif self._paused and waiting <= self._settings.most_waiting // 2:
            consumer.resume(consumer.assignment())
            self._paused = False

    def _item(self, message: Message) -> Item | None:
        error = message.error()
        if error is not None:
            failure = exception(error)
            if isinstance(failure, BusRefused):
                self._tell(self._ear.failed, failure)
            return None
        return (
            message.topic() or "",
            message.partition() or 0,
            message.offset() or 0,
            kafka_message.decode(message),
        )

    def _troubled(self, error: KafkaError) -> None:
        """What is wrong with the connections; a password, say, which nobody else tells of."""
        failure = exception(error)
        if isinstance(failure, BusRefused):
            self._tell(self._ear.failed, failure)

    def _assigned(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._tell(self._ear.assigned, [(one.topic, one.partition) for one in partitions])

    def _revoked(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._tell(self._ear.revoked, [(one.topic, one.partition) for one in partitions])

    def _committed(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        self._tell(self._ear.committed, error, partitions)

    def _measured(self, text: str) -> None:
        self._tell(self._ear.measured, read_lag(text, self._settings.begin))

    def _tell(self, function: Callable[..., None], *args: object) -> None:
        try:
            self._token.run_sync_soon(function, *args)
        except trio.RunFinishedError:
            self._stop.set()
