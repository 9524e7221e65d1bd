"""One queue's endings on their way to one sink: take, hand over, acknowledge, and again.

**No ending is lost, whenever the process dies.** An entry stays in the store until its sink's group has
acknowledged it, and only the last line of `_deliver` acknowledges. Between any two lines:

| dies                          | then                                                                    |
|-------------------------------|-------------------------------------------------------------------------|
| before the sink is registered | nothing was promised for it yet                                         |
| during `take`                 | entries may be noted under this relay: after its silence others get them |
| after `take`                  | the same                                                                |
| after `set_aside`             | unreadable ones lie apart, by the same step acknowledged; else the same |
| while the sink takes          | it may have kept them or not: another relay hands over the same again   |
| after the sink has taken      | the same; the sink knows them by id, attempt and state                  |
| during `acknowledge`          | it was done or not; not done is the line above                          |
| after `acknowledge`           | nothing is left to do                                                   |
| while draining                | `retire` frees what is left at once; without it, the silence does       |

The same holds when the store goes away between two lines: the loop begins anew, and what is noted under this
relay is the first thing that `take` gives it. When the store loses data, what it lost comes again or not at
all, as with everything else: what was acknowledged stays at the sink.
"""

import random
from collections.abc import Awaitable

import trio

from penstock.engine.operation import Operation
from penstock.engine.outbox import Entry, News, Outbox, Taken
from penstock.engine.relay.decoding import Decoded, decode
from penstock.engine.relay.facts import EndingsSetAside, SinkFailed, SinkRecovered, Tell
from penstock.engine.relay.metrics import DROPPED, ENDINGS, ERRORS, LAG_ENTRIES, LAG_SECONDS
from penstock.engine.relay.portion import Portion
from penstock.engine.relay.settings import RelaySettings
from penstock.engine.relay.sink import Sink
from penstock.engine.seams import Seams


class Delivery:
    """The loop of one queue and one sink; `run` is kept alive by the relay's supervisor."""

    def __init__(
        self,
        outbox: Outbox,
        queue: str,
        sink: Sink,
        relay: str,
        settings: RelaySettings,
        seams: Seams,
        tell: Tell,
    ) -> None:
        self.queue = queue
        self.sink = sink
        self.scope = trio.CancelScope()
        self.begun = False
        """Whether the sink is registered and has been asked for once."""
        self._outbox = outbox
        self._relay = relay
        self._settings = settings
        self._seams = seams
        self._tell = tell
        self._portion = Portion(settings.batch)
        self._rng = random.Random()
        self._failures = 0
        self._busy = False
        self._draining = False

    def drain(self) -> None:
        """End: at once, unless a batch is under way, which is finished first."""
        self._draining = True
        if not self._busy:
            self.scope.cancel()

    async def run(self) -> None:
        """Deliver until cancelled; raises what the store raises, then run it again."""
        await self._enlist()
        async with self._outbox.news(self.queue) as news:
            while True:
                await self._round(news)

    async def _enlist(self) -> None:
        await self._outbox.enlist(self.queue, self.sink.name, self._settings.most)

    async def _round(self, news: News) -> None:
        settings, sink = self._settings, self.sink.name
        silence = round(settings.silence * 1000)
        taken = await self._outbox.take(self.queue, sink, self._relay, self._portion.count, silence)
        if taken is None:  # the store has lost it, or somebody unregistered a sink that is still served
            await self._enlist()
            return
        self.begun = True
        self._note_lag(taken)
        self._portion.note(taken.entries)
        if not taken.entries:
            await news.wait(taken.last, settings.look)
        elif (delay := await self._deliver(taken.entries)) > 0:
            await trio.sleep(delay)

    def _note_lag(self, taken: Taken) -> None:
        age = 0.0 if taken.since is None else max(0, taken.now - taken.since) / 1000
        LAG_ENTRIES.set(taken.behind, sink=self.sink.name, queue=self.queue)
        LAG_SECONDS.set(age, sink=self.sink.name, queue=self.queue)

    async def _deliver(self, entries: list[Entry]) -> float:
        """Hand over one batch; how long to pause before the next try, 0 where it was taken."""
        self._busy = True
        try:
            decoded = decode(self.queue, entries)
            if decoded.garbled:
                await self._set_aside(decoded)
            if decoded.endings:
                error = await self._offer(decoded)
                if error is not None:
                    return self._failed(error)
                self._succeeded(len(decoded.endings))
            await self._outbox.acknowledge(self.queue, self.sink.name, decoded.ids)
            return 0.0
        finally:
            self._busy = False
            if self._draining:
                self.scope.cancel()

    async def _set_aside(self, decoded: Decoded) -> None:
        ids = [entry for entry, _ in decoded.garbled]
        count = await self._outbox.set_aside(self.queue, self.sink.name, ids)
        if count:  # else another relay has done it
            DROPPED.inc(count, sink=self.sink.name)
            self._tell(EndingsSetAside(self.sink.name, self.queue, count, decoded.garbled[-1][1]))

    async def _offer(self, decoded: Decoded) -> Exception | None:
        """Why the sink has not taken them; None where it has."""
        operation = Operation(
            name=f"relay {self.queue}",
            kind="consumer",
            attributes={
                "messaging.system": "penstock",
                "messaging.operation.name": "relay",
                "messaging.operation.type": "process",
                "messaging.destination.name": self.queue,
                "messaging.consumer.group.name": self.sink.name,
                "messaging.client.id": self._relay,
                "messaging.batch.message_count": len(decoded.endings),
            },
        )
        try:
            with self._seams.around_operation(operation), trio.fail_after(self._settings.timeout):
                await self.sink.take(decoded.endings)
        except Exception as error:  # whatever a sink raises means that it has not got them
            return error
        return None

    def _failed(self, error: Exception) -> float:
        self._failures += 1
        delay = self._settings.backoff.delay(self._failures, self._rng)
        ERRORS.inc(sink=self.sink.name)
        self._tell(SinkFailed(self.sink.name, self.queue, error, self._failures, delay))
        return delay

    def _succeeded(self, count: int) -> None:
        ENDINGS.inc(count, sink=self.sink.name, queue=self.queue)
        if self._failures:
            self._tell(SinkRecovered(self.sink.name, self.queue, self._failures))
            self._failures = 0

    def farewell(self) -> Awaitable[int]:
        """Tell the store that this relay ends: what it leaves goes to others at once."""
        return self._outbox.retire(self.queue, self.sink.name, self._relay)
