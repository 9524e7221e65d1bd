"""The simulation beside results of queueing theory that need no simulation."""

import math

import pytest

from benchmarks.planning.costs import Server, Step
from benchmarks.planning.model.cell import Cell, simulate

FREE = Server(0, Step(0, 0), Step(0, 0), Step(0, 0))
SERVICE = 100e-6
JOB = Step(call=0, job=1e6 * SERVICE)
SECONDS = 4.0
NEAR = 0.2
"""What simulations of so many seconds differ by from seed to seed."""


def md1(wait: float, load: float, service: float) -> float:
    """Part of the customers of an M/D/1 queue that wait no longer: Erlang's formula of 1909."""
    if wait < 0:
        return 0.0
    rate = load / service
    terms = (
        (rate * (k * service - wait)) ** k / math.factorial(k) * math.exp(-rate * (k * service - wait))
        for k in range(int(wait / service) + 1)
    )
    return (1 - load) * math.fsum(terms)


def batched(wait: float, load: float, jobs: int) -> float:
    """The same where so many come at once: who is behind in a batch waits for the others in it too."""
    parts = [md1(wait - place * SERVICE, load, jobs * SERVICE) for place in range(jobs)]
    return math.fsum(parts) / jobs


def quantile(part: float, load: float, jobs: int) -> float:
    """Seconds that no more than such a part of the jobs wait."""
    low, high = 0.0, 25 * jobs * SERVICE
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if batched(middle, load, jobs) >= part else (middle, high)
    return high


@pytest.mark.parametrize(("load", "jobs"), [(0.7, 1), (0.8, 1), (0.5, 4)])
def test_waits_are_those_of_a_queue_with_constant_service(load: float, jobs: int) -> None:
    """M/D/1, and its batches: a worker whose claims cost nothing serves as one server does."""
    cell = Cell(rate=load / SERVICE, batch=jobs, workers=1, delay=0.0)
    seen = simulate(cell, FREE, JOB, seconds=SECONDS)
    assert seen.median == pytest.approx(quantile(0.5, load, jobs), rel=NEAR)
    assert seen.p99 == pytest.approx(quantile(0.99, load, jobs), rel=NEAR)
    assert seen.worker == pytest.approx(load, rel=0.05)


def test_a_server_is_busy_by_rate_times_price() -> None:
    """Little's law for its core, and each call of the quiet queue paying for waking."""
    server = Server(50, Step(30, 10), Step(40, 10), Step(20, 20))
    seen = simulate(Cell(rate=200, workers=1, delay=1e-4), server, JOB, seconds=20.0)
    calls = 30 + 10 + (40 + 10) + (20 + 20)  # µs of one job's submission, claim and settlement
    empty = 40  # and of the claim that finds nothing and leaves word
    assert seen.server == pytest.approx(200e-6 * (calls + empty + 4 * 50), rel=0.1)
