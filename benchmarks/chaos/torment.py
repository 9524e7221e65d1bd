"""Doing to processes, server and connections what the plan says."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec
import trio

from benchmarks.chaos.plan import Fault
from benchmarks.chaos.proxy import Proxy
from benchmarks.chaos.server import Server
from benchmarks.chaos.slot import Slot


class Injected(msgspec.Struct, frozen=True):
    """A fault as it was done; `at` is milliseconds since the epoch."""

    fault: Fault
    at: int


class Torment:
    """Carries out a plan; `done` are the faults so far, `tally` counts them."""

    def __init__(
        self, faults: Sequence[Fault], slots: Mapping[str, Slot], server: Server, proxy: Proxy
    ) -> None:
        self.done: list[Injected] = []
        self._faults = faults
        self._slots = slots
        self._server = server
        self._proxy = proxy

    @property
    def tally(self) -> Counter[str]:
        """How often what was done to whom: `worker kill`, `server crash`, …"""
        return Counter(f"{one.fault.target.partition('-')[0]} {one.fault.kind}" for one in self.done)

    async def run(self) -> None:
        """Do all of it, each target's faults one after the other; late ones as soon as may be.

        Cancelled, it mends what it was doing: nobody is left stopped or cut off.
        """
        start = trio.current_time()
        by_target = groupby(sorted(self._faults, key=lambda fault: fault.target), lambda fault: fault.target)
        async with trio.open_nursery() as nursery:
            for _, faults in by_target:
                nursery.start_soon(self._course, sorted(faults, key=lambda fault: fault.at), start)

    async def _course(self, faults: Sequence[Fault], start: float) -> None:
        for fault in faults:
            await trio.sleep_until(start + fault.at)
            await self._do(fault)

    async def _do(self, fault: Fault) -> None:
        self.done.append(Injected(fault, time.time_ns() // 1_000_000))
        match fault.kind:
            case "kill":
                await self._slots[fault.target].kill(fault.seconds)
            case "stop":
                await self._slots[fault.target].stop(fault.seconds)
            case "drain":
                await self._slots[fault.target].drain(fault.seconds)
            case "partition":
                await self._partition(fault)
            case "crash":
                await self._server.crash(fault.seconds)
            case "stall":
                await self._server.stall(fault.seconds)
            case "blip":
                self._proxy.blip()

    async def _partition(self, fault: Fault) -> None:
        self._proxy.cut_off(fault.target)
        try:
            await trio.sleep(fault.seconds)
        finally:
            self._proxy.join(fault.target)
