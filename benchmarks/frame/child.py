"""The side of a process that is measured: a turn for each line that it reads, its figures as a line.

On Trio or asyncio. Peers' processes have neither this nor its libraries: theirs is `peers/child.py`.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio.to_thread

Order = Mapping[str, Any]
"""What a turn is to do, as the other side wrote it."""
Figures = Mapping[str, float]


async def take_turns(turn: Callable[[Order], Awaitable[Figures]]) -> None:
    """Make turns until nobody asks for another."""
    while line := await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        print(json.dumps(dict(await turn(json.loads(line)))), flush=True)
