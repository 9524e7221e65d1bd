"""The publishing half of the Kafka bus: librdkafka's producer, its callbacks on a thread of their own."""

import threading
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Self

import trio
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from penstock.engine.bus import kafka_message
from penstock.engine.bus.bus import Event
from penstock.engine.bus.errors import BusRefused, BusUnavailable
from penstock.engine.bus.kafka_errors import exception
from penstock.engine.bus.kafka_settings import KafkaSettings
from penstock.engine.errors import ConfigurationError

_LOOK_UP = 0.2
"""Seconds after which the thread sees whether it is to end; reports wake it at once."""
_AGAIN = 0.05
"""Seconds after which a publisher looks again whether librdkafka's buffer has room."""


class _Publication:
    """Events that were published together: how many reports are missing, and the first error."""

    def __init__(self, missing: int) -> None:
        self.missing = missing
        self.error: KafkaError | None = None
        self.done = trio.Event()

    def report(self, error: KafkaError | None) -> None:
        self.missing -= 1
        self.error = self.error or error
        if not self.missing:
            self.done.set()


_Report = tuple[_Publication, KafkaError | None]


class _Refusal:
    """What the brokers have against us, such as a password: reports of events only say that time was up."""

    def __init__(self) -> None:
        self.error: BusRefused | None = None

    def note(self, error: KafkaError) -> None:
        failure = exception(error)
        if isinstance(failure, BusRefused):
            self.error = failure

    def explain(self, error: KafkaError) -> BusUnavailable | BusRefused:
        """The exception for an event that failed."""
        failure, why = exception(error), self.error
        return failure if why is None or error.name() != "_MSG_TIMED_OUT" else why


class KafkaPublisher:
    """Belongs to one Trio run, whose loop it never blocks; `producer.poll` waits in a thread."""

    @classmethod
    async def start(cls, settings: KafkaSettings) -> Self:
        """Make one, in a thread; raises `ConfigurationError` for options that librdkafka does not take."""
        refusal = _Refusal()
        try:
            producer = await trio.to_thread.run_sync(_new_producer, settings, refusal)
        except KafkaException as error:
            raise ConfigurationError(f"Kafka: {error.args[0].str()}") from error
        return cls(settings, producer, refusal)

    def __init__(self, settings: KafkaSettings, producer: Producer, refusal: _Refusal) -> None:
        self._settings = settings
        self._producer = producer
        self._refusal = refusal
        self._token = trio.lowlevel.current_trio_token()
        self._room = trio.Semaphore(settings.most_on_the_way)
        self._reports: deque[_Report] = deque()
        self._stop = threading.Event()
        self._ended = trio.Event()
        # A daemon: should librdkafka ever hang, the process can still end.
        self._thread = threading.Thread(target=self._poll, name="kafka producer", daemon=True)
        self._thread.start()

    async def publish(self, events: Sequence[Event]) -> None:
        """See `Bus.publish`. Cancelled, events that were handed over are still sent."""
        if self._stop.is_set():
            raise BusUnavailable("Kafka: this bus is closed")
        if not events:
            return
        publication = _Publication(len(events))
        for event in events:
            await self._room.acquire()
            try:
                await self._produce(event, publication)
            except BaseException:
                self._room.release()
                raise
        await publication.done.wait()
        if publication.error is not None:
            raise self._refusal.explain(publication.error)
        self._refusal.error = None

    async def aclose(self) -> None:
        """Send what is on its way, for a bounded time; what is left then fails."""
        self._stop.set()
        # Shielded: a publisher that is cancelled has handed over events. Bounded: by the settings.
        with trio.move_on_after(self._settings.close_within + 1, shield=True):
            await self._ended.wait()

    async def _produce(self, event: Event, publication: _Publication) -> None:
        report = partial(self._reported, publication)
        arguments = kafka_message.arguments(event)
        while True:
            try:
                return self._producer.produce(**arguments, on_delivery=report)
            except BufferError:  # by its bytes; it tells nobody when there is room again
                await trio.sleep(_AGAIN)
            except Exception as error:
                raise _refusal(error) from error

    def _reported(self, publication: _Publication, error: KafkaError | None, _message: Message) -> None:
        self._reports.append((publication, error))

    def _poll(self) -> None:
        """The thread: hears of reports, and hands over at once what came at once."""
        while not self._stop.is_set():
            self._producer.poll(_LOOK_UP)
            self._hand_over(last=False)
        self._producer.flush(self._settings.close_within)
        self._producer.purge()
        self._producer.flush(_LOOK_UP)  # the reports of what was purged
        self._hand_over(last=True)

    def _hand_over(self, *, last: bool) -> None:
        if not self._reports and not last:
            return
        reports, self._reports = self._reports, deque()
        try:
            self._token.run_sync_soon(self._take, reports, last)
        except trio.RunFinishedError:
            self._stop.set()

    def _take(self, reports: deque[_Report], last: bool) -> None:
        for publication, error in reports:
            self._room.release()
            publication.report(error)
        if last:
            self._ended.set()


def _new_producer(settings: KafkaSettings, refusal: _Refusal) -> Producer:
    return Producer({**settings.of_producer(), "error_cb": refusal.note})


def _refusal(error: Exception) -> Exception:
    first = error.args[0] if error.args else None
    return exception(first) if isinstance(first, KafkaError) else BusRefused(f"Kafka: {error}")
