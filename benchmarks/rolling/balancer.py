"""What stands between submitters and APIs: it knows which of them are ready, a little late."""

import random
from collections import defaultdict

import trio

from benchmarks.rolling.connection import Connection
from benchmarks.rolling.process import says_ready

PERIOD = 0.2
"""Seconds between two probes of one process."""


class Balancer:
    """Opens connections to ready processes only, as a Kubernetes Service does.

    What is open stays in use until the process closes it, whether that is ready or not: a balancer of
    connections does not see requests.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._ready: dict[int, bool] = {}
        self._idle = defaultdict[int, list[Connection]](list)

    async def watch(self, port: int) -> None:
        """Probe the process on that port until cancelled."""
        self._ready[port] = True
        try:
            while True:
                await trio.sleep(PERIOD)
                self._ready[port] = await says_ready(port)
        finally:
            del self._ready[port]

    async def connection(self) -> Connection:
        """One that is idle, or a new one; raises `OSError` where it is refused."""
        while idle := [port for port, waiting in self._idle.items() if waiting]:
            found = self._idle[self._rng.choice(idle)].pop(0)
            if not found.stale:
                return found
            found.close()
        ready = [port for port, is_ready in self._ready.items() if is_ready]
        if not ready:
            raise OSError("no process is ready")
        return await Connection.open(self._rng.choice(ready))

    def give_back(self, connection: Connection) -> None:
        """Keep it for the next request."""
        self._idle[connection.port].append(connection)

    def close(self) -> None:
        """Close what is idle."""
        for waiting in self._idle.values():
            while waiting:
                waiting.pop().close()
