"""Workers and the server under them, watched together."""

from collections.abc import Sequence

from benchmarks.planning.measuring import workers
from benchmarks.planning.measuring.instruments import info, share, waited
from benchmarks.planning.measuring.worker_child import Order, Turn
from penstock.engine.transport import Redis


async def watched(redis: Redis, crew: Sequence[workers.Child], order: Order) -> tuple[list[Turn], float]:
    """A turn of all, and the share of a core that the server got when it wanted one."""
    pid = int((await info(redis, "server"))["process_id"])
    before = waited(pid)
    turns = await workers.take_turns(crew, order)
    return turns, share(before, waited(pid))
