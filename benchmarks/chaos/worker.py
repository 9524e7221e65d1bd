"""One worker of a chaos run: `python -m benchmarks.chaos.worker NAME REDIS HISTORY`.

Not `penstock worker`, because every call to the store is to be recorded; the rest is the same worker with the
same signals. Facts worth reading when something went wrong go to standard error.
"""

import sys
import time
from pathlib import Path

import trio

from benchmarks.chaos.jobs import MAX_CRASHES, chaos
from benchmarks.chaos.orphan import end_with_driver
from benchmarks.chaos.plan import LEASE
from benchmarks.history import RecordingStore, recording
from penstock.deploy.shutdown import drain_on_signal
from penstock.engine import Observers, Registry, Seams, Worker, WorkerSettings
from penstock.engine.events import (
    Event,
    LeaseLost,
    LoopCrashed,
    ObserverFailed,
    SettlementRefused,
    StoreDown,
    StoreUp,
    WorkerDraining,
    WorkersReaped,
    WorkerStarted,
    WorkerStopped,
)
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

GRACE = 3.0
"""Seconds for running jobs when draining: some of the long ones do not make it."""
_SETTINGS = WorkerSettings(concurrency=6, lease=LEASE, grace=GRACE, max_crashes=MAX_CRASHES)
_TOLD = (
    LeaseLost
    | LoopCrashed
    | ObserverFailed
    | SettlementRefused
    | StoreDown
    | StoreUp
    | WorkerDraining
    | WorkersReaped
    | WorkerStarted
    | WorkerStopped
)


def tell(event: Event) -> None:
    """Write what an operator would want to know, and when."""
    if isinstance(event, _TOLD):
        print(f"{time.time():.3f} {event!r}", file=sys.stderr, flush=True)


async def main(name: str, url: str, history: Path) -> None:
    """Work until SIGTERM, as `penstock worker` does."""
    with recording(name, history / f"{name}.jsonl") as recorder:
        async with Redis(url) as redis, trio.open_nursery() as nursery:
            seams = Seams(Observers(recorder.observe, tell))
            store = RecordingStore(RedisStore(redis), recorder)
            worker = Worker(store, Registry([chaos]), settings=_SETTINGS, seams=seams)
            nursery.start_soon(end_with_driver)
            await nursery.start(drain_on_signal, worker.drain)
            await worker.run()
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], Path(sys.argv[3]))
