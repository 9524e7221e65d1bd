"""SAQ: `saq benchmarks.reliability.peers.saq_app.settings`.

`RELIABILITY_TUNED` gives its jobs what recovery needs there: a timeout longer than the job, attempts, and a
sweep each second.
"""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# The peer is installed in an environment of its own only, where no checker of ours looks.

import os
from asyncio import sleep

from saq import Queue

from benchmarks.reliability.notes import work

TUNED = os.environ.get("RELIABILITY_TUNED") == "1"
queue = Queue.from_url(os.environ["RELIABILITY_REDIS"])


async def nap(ctx: object, *, job: str, seconds: float) -> None:
    """Take some time."""
    await work(job, seconds, sleep)


settings = {
    "queue": queue,
    "functions": [nap],
    "concurrency": int(os.environ["RELIABILITY_CONCURRENCY"]),
    **({"timers": {"sweep": 1}} if TUNED else {}),
}


async def submit(jobs: list[str], seconds: float) -> None:
    """Submit one job of each name."""
    await queue.connect()
    options = {"timeout": round(seconds) + 5, "retries": 3} if TUNED else {}
    for job in jobs:
        await queue.enqueue("nap", job=job, seconds=seconds, **options)
    await queue.disconnect()
