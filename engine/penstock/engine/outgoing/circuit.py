"""Circuit breaking: a host that fails again and again is left alone, then asked by one request at a time.

closed --(failures in a row)--> open --(time)--> half open: one probe --> closed, or open again.

Only hosts that have failed are remembered; nothing here waits, so no state is half changed.
"""

import time
from types import TracebackType
from typing import Self

import anyio

from penstock.engine.events import CircuitClosed, CircuitOpened, Observers
from penstock.engine.outgoing.errors import CircuitOpen
from penstock.engine.outgoing.measures import CIRCUIT

_MOST = 1_000
"""Hosts remembered: jobs may be given any number, and 200 KB is room enough for what fails at one time."""


class Circuits:
    """The circuits of one client, by origin (`host:port`)."""

    def __init__(self, failures_to_open: int, open_for: float, observers: Observers | None = None) -> None:
        """`open_for` is in seconds; `observers` are told when one opens or closes."""
        self._observers = observers if observers is not None else Observers()
        self._failures_to_open = failures_to_open
        self._open_for = open_for
        self._circuits: dict[str, _Circuit] = {}

    def enter(self, origin: str, label: str) -> "Passage":
        """Let one request pass; to be left whatever happens.

        Raises `CircuitOpen` while the host is left alone, or is asked by another request.
        """
        circuit = self._circuits.get(origin)
        if circuit is None or circuit.state == "closed":
            return Passage(self, origin, label, None)
        remaining = circuit.until - anyio.current_time()
        if remaining > 0 or circuit.state == "half_open":
            raise CircuitOpen(
                origin,
                failures=circuit.failures,
                since=circuit.since,
                until=time.time() + max(remaining, 0),
                remaining=max(remaining, 0),
            )
        circuit.turn("half_open")
        return Passage(self, origin, label, circuit)

    def settle(self, passage: "Passage") -> None:
        """Learn how a request that passed has ended."""
        circuit = self._circuits.get(passage.origin)
        if passage.probed is not None:
            if circuit is not None and circuit is passage.probed:
                self._settle_probe(circuit, passage)
        elif passage.well is False:
            self._count(circuit, passage)
        elif passage.well and circuit is not None and circuit.state == "closed":
            self._forget(passage.origin)  # one that is open hears from its probe alone

    def close(self) -> None:
        """Forget all of them."""
        for origin in list(self._circuits):
            self._forget(origin)

    def _settle_probe(self, circuit: "_Circuit", passage: "Passage") -> None:
        if passage.well:
            self._forget(passage.origin)
            self._observers.emit(CircuitClosed(passage.origin, circuit.failures))
            return
        circuit.turn("open")
        if passage.well is False:  # with no verdict, as when it was cancelled, the next may probe at once
            circuit.failures += 1
            circuit.until = anyio.current_time() + self._open_for

    def _count(self, circuit: "_Circuit | None", passage: "Passage") -> None:
        if circuit is None:
            if len(self._circuits) >= _MOST:
                self._forget(next(iter(self._circuits)))
            circuit = self._circuits[passage.origin] = _Circuit(passage.label)
        if circuit.state != "closed":  # it began before the circuit opened
            return
        circuit.failures += 1
        if circuit.failures >= self._failures_to_open:
            circuit.turn("open")
            circuit.since = time.time()
            circuit.until = anyio.current_time() + self._open_for
            self._observers.emit(CircuitOpened(passage.origin, circuit.failures, self._open_for))

    def _forget(self, origin: str) -> None:
        self._circuits.pop(origin).turn("closed")


class Passage:
    """One request that a circuit lets pass; `well` is its verdict on the host, None for none."""

    def __init__(self, circuits: Circuits, origin: str, label: str, probed: "_Circuit | None") -> None:
        self._circuits = circuits
        self.origin = origin
        self.label = label
        self.probed = probed
        self.well: bool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._circuits.settle(self)


class _Circuit:
    """One host's. `until` is on the loop's clock, `since` in seconds since the epoch."""

    def __init__(self, label: str) -> None:
        self._label = label
        self.state = "closed"
        self.failures = 0
        self.since = 0.0
        self.until = 0.0

    def turn(self, state: str) -> None:
        """Change the state, and the gauge with it: changes, because many hosts may share a label."""
        if self.state != "closed":
            CIRCUIT.inc(-1, host=self._label, state=self.state)
        if state != "closed":
            CIRCUIT.inc(1, host=self._label, state=state)
        self.state = state
