"""Prices are found again from what calls with known prices cost."""

import random

import pytest

from benchmarks.planning.costs import SCRIPTS, Point, Server, Step, server_of, step_of
from benchmarks.planning.fitting import fit

SERVER = Server(150.0, Step(90.0, 15.0), Step(120.0, 10.0), Step(80.0, 30.0))


def points(server: Server, noise: float) -> list[Point]:
    """What is seen of such a server with so much noise, by callers that come singly and eight at once."""
    rng, found = random.Random(7), list[Point]()
    for size in (1, 4, 16, 64, 200):
        for cycles in (1.0, 0.4):
            for script in SCRIPTS:
                step: Step = getattr(server, script)
                cost = (cycles * server.cycle + step.of(size)) * (1 + rng.uniform(-noise, noise))
                found.append(Point(script, size, cycles, cost))
    return found


@pytest.mark.parametrize(
    ("costs", "step"),
    [
        ([12.0, 30.0, 210.0], Step(10.0, 2.0)),
        ([5.0, 5.0, 5.0], Step(5.0, 0.0)),
        ([1.0, 10.0, 100.0], Step(0.0, 1.0)),
    ],
)
def test_a_price_of_calls_and_of_jobs_is_found(costs: list[float], step: Step) -> None:
    """From what calls with 1, 10 and 100 jobs cost."""
    found = step_of((1, 10, 100), costs)
    assert found.call == pytest.approx(step.call, abs=1e-3)
    assert found.job == pytest.approx(step.job, abs=1e-3)


@pytest.mark.parametrize("costs", [[10.0, 9.0, 8.0], [0.5, 10.0, 200.0]])
def test_no_price_is_below_nothing(costs: list[float]) -> None:
    """Whatever noise there was; something is paid all the same."""
    found = step_of((1, 10, 100), costs)
    assert min(found.call, found.job) >= 0
    assert max(found.call, found.job) > 0


def test_the_price_of_waking_is_told_from_that_of_a_call() -> None:
    """By calls that share a cycle: what comes singly pays for both, which is not what a busy server pays."""
    found = server_of(points(SERVER, 0.0))
    assert found.cycle == pytest.approx(SERVER.cycle, abs=0.1)
    for script in SCRIPTS:
        step, expected = getattr(found, script), getattr(SERVER, script)
        assert (step.call, step.job) == pytest.approx((expected.call, expected.job), abs=0.1)


def test_noise_of_a_tenth_moves_prices_by_little() -> None:
    """What calls cost altogether stays near; only how it is divided moves more."""
    found = server_of(points(SERVER, 0.1))
    for script in SCRIPTS:
        step, expected = getattr(found, script), getattr(SERVER, script)
        for size in (1, 16, 200):
            total, known = found.cycle + step.of(size), SERVER.cycle + expected.of(size)
            assert total == pytest.approx(known, rel=0.1)
    assert found.cycle == pytest.approx(SERVER.cycle, rel=0.4)


def test_what_cannot_be_told_apart_is_paid_once() -> None:
    """Where every call came singly, a cycle and a call are one price."""
    prices = fit([(1.0, 1.0, 1.0), (1.0, 1.0, 10.0), (1.0, 1.0, 100.0)], [12.0, 30.0, 210.0])
    assert prices[0] + prices[1] == pytest.approx(10.0)
    assert min(prices[:2]) == 0.0
    assert prices[2] == pytest.approx(2.0)
