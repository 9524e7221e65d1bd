"""One submitter of a chaos run: `python -m benchmarks.chaos.submitter NAME LIFE SEED REDIS HISTORY`.

It notes the number of each batch that was acknowledged in a file that its next life reads. A batch that was
not is made again and sent again, with the same idempotency keys; what had none is submitted anew.
"""

import random
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import trio

from benchmarks.chaos.jobs import QUEUES
from benchmarks.chaos.load import batch
from benchmarks.chaos.orphan import end_with_driver
from benchmarks.history import RecordingStore, recording
from penstock.engine import Client, Receipt, Request
from penstock.engine.errors import JobNotFound, StoreUnavailable
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

PAUSE = 0.06
"""Mean seconds between batches."""
MOST_WAITING = 400
"""Ready jobs in all queues beyond which nobody submits: a slow machine has less to do, not more to drain."""
_TRY_AGAIN = 0.2


class Submitter:
    """Submits batch after batch; `life` tells the chance of one life from that of the next."""

    def __init__(self, client: Client, name: str, life: int, seed: int, notes: Path) -> None:
        self._client = client
        self._name = name
        self._seed = seed
        self._notes = notes
        self._rng = random.Random(f"{seed} {name} life {life}")

    async def run(self, ending: trio.Event) -> None:
        """Submit until `ending` is set, the batch under way included."""
        number = int(self._notes.read_text()) + 1 if self._notes.exists() else 1
        while not ending.is_set():
            try:
                if await self._waiting() < MOST_WAITING:
                    await self._once(number)
                    number += 1
                await trio.sleep(self._rng.expovariate(1 / PAUSE))
            except StoreUnavailable:
                await trio.sleep(_TRY_AGAIN)

    async def _waiting(self) -> int:
        return sum([(await self._client.store.facts(queue)).ready for queue in QUEUES])

    async def _once(self, number: int) -> None:
        requests = batch(self._seed, self._name, number)
        receipts = await self._client.submit_many(requests)
        self._note(number)
        if self._rng.random() < 0.05:
            await self._send_again(requests, receipts)
        if self._rng.random() < 0.1:
            await self._cancel(self._rng.choice(receipts))

    def _note(self, number: int) -> None:
        whole = self._notes.with_suffix(".new")  # killed between the two, the batch is sent once more
        whole.write_text(str(number))
        whole.replace(self._notes)

    async def _send_again(self, requests: Iterable[Request], receipts: Iterable[Receipt]) -> None:
        """What has an idempotency key gets the same id, however often it comes."""
        pairs = [pair for pair in zip(requests, receipts, strict=True) if pair[0].idempotency_key]
        again = await self._client.submit_many([request for request, _ in pairs])
        for (request, first), second in zip(pairs, again, strict=True):
            if (first.id, second.conflict) != (second.id, False) and request.unique_key is None:
                raise AssertionError(f"{request.idempotency_key} stands for {first.id} and {second.id}")

    async def _cancel(self, receipt: Receipt) -> None:
        try:
            await self._client.cancel(receipt.id)
        except JobNotFound as error:
            raise AssertionError(f"{receipt.id} was acknowledged and is gone") from error


async def _on_signal(
    ending: trio.Event, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        task_status.started()
        await anext(signals)
        ending.set()


async def main(name: str, life: int, seed: int, url: str, history: Path) -> None:
    """Submit until SIGTERM."""
    ending = trio.Event()
    with recording(f"{name}.{life}", history / f"{name}.{life}.jsonl") as recorder:
        async with Redis(url) as redis, trio.open_nursery() as nursery:
            client = Client(RecordingStore(RedisStore(redis), recorder))
            nursery.start_soon(end_with_driver)
            await nursery.start(_on_signal, ending)
            await Submitter(client, name, life, seed, history / f"{name}.batch").run(ending)
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], Path(sys.argv[5]))
