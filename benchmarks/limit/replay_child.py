"""Turns that send again, byte by byte, what Penstock sent: `… REDIS`.

The server starts each turn empty, so every claim finds the same jobs and gives them the same tokens. An order
says how many `jobs` the recording is to have (the first one counts) and how many commands may be under way.
"""

import sys
import time
from contextlib import closing

import trio

from benchmarks.frame.child import Figures, Order, take_turns
from benchmarks.limit.line import Line
from benchmarks.limit.recording import Recording, record


async def main(url: str) -> None:
    """Record once, then replay until nobody asks for another."""
    recordings: dict[int, Recording] = {}

    async def turn(order: Order) -> Figures:
        jobs = int(order["recorded"])
        if jobs not in recordings:
            recordings[jobs] = await record(url, jobs)
        with closing(Line(url)) as line:
            return replay(line, recordings[jobs], jobs, int(order["window"]))

    await take_turns(turn)


def replay(line: Line, recording: Recording, jobs: int, window: int) -> Figures:
    """Send all of it again; raises `RuntimeError` where not every job is settled as it was."""
    line.call("FLUSHALL")
    began = time.perf_counter()
    line.replies(recording.submit, window)
    submitted = time.perf_counter() - began
    began = time.perf_counter()
    replies = line.replies(recording.drain, window)
    drained = time.perf_counter() - began
    stands = sum(sum(reply) for place, reply in enumerate(replies) if place in recording.settles)
    if stands != jobs:
        raise RuntimeError(f"{stands} of {jobs} jobs were settled when it was sent again")
    return {"seconds": drained, "drained": jobs / drained, "submitted": jobs / submitted}


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
