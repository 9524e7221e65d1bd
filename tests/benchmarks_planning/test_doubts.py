"""Figures that cannot be are refused, and doubtful ones are marked."""

import math
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from benchmarks.planning import command, page
from benchmarks.planning.costs import Costs, Server, Step
from benchmarks.planning.doubts import doubtful, impossible
from benchmarks.planning.figures import Figures, Predictions, load
from benchmarks.planning.sizing import bound, ceiling
from benchmarks.planning.validate import Row

SERVER = Server(20, Step(100, 15), Step(120, 10), Step(80, 30))


def but(**changes: Any) -> Figures:
    """The figures that are kept, with other costs."""
    figures = load()
    costs = msgspec.structs.replace(figures.costs, **changes)
    return msgspec.structs.replace(figures, costs=costs)


def test_what_is_kept_can_be() -> None:
    """Or it had not been kept."""
    assert impossible(load()) == []


@pytest.mark.parametrize("price", [-1.0, 0.0, math.nan, math.inf])
def test_no_job_costs_less_than_something(price: float) -> None:
    """A price of a job that is no price is told, with its name."""
    server = load().costs.server
    found = impossible(but(server=msgspec.structs.replace(server, settle=Step(10.0, price))))
    assert any(line.startswith("server: settle") for line in found)


def test_a_negative_price_of_anything_is_told() -> None:
    """Of a cycle, of the disk, of an API's request, of a byte."""
    server, each = load().costs.server, load().costs.bytes
    for changes in (
        {"server": msgspec.structs.replace(server, cycle=-1.0)},
        {"sync": -0.1},
        {"request": 0.0},
        {"bytes": msgspec.structs.replace(each, waiting=-5.0)},
    ):
        assert impossible(but(**changes)), changes


def test_a_ceiling_above_what_its_calls_allow_is_told() -> None:
    """Single submissions of 100 µs each are never 53,900 a second."""
    figures = load()
    first = figures.predictions.curves[0]
    top = msgspec.structs.replace(first.top, rate=53_900)
    curves = [msgspec.structs.replace(first, top=top), *figures.predictions.curves[1:]]
    predictions = msgspec.structs.replace(figures.predictions, curves=curves)
    found = impossible(Figures(figures.costs, figures.checked, predictions))
    assert any("is above what its calls allow" in line for line in found)


def test_a_queue_that_does_nothing_is_no_prediction() -> None:
    """Waits of nothing and no job done: the simulation stood still."""
    figures = load()
    first = figures.predictions.plans[0]
    cell = msgspec.structs.replace(first.cell, rate=0.0, median=0.0, p99=0.0)
    plans = [msgspec.structs.replace(first, cell=cell)]
    found = impossible(Figures(figures.costs, figures.checked, Predictions(plans, [], [])))
    assert len(found) == 2


def test_ceilings_are_near_what_calls_allow_and_never_above() -> None:
    """A full server is asked in larger batches, so that only what batches do not share is left."""
    costs = msgspec.structs.replace(load().costs, server=SERVER)
    for batch in (1, 100):
        most = bound(costs, batch)
        assert 0.5 * most < ceiling(costs, batch, sync=False).rate <= most
    assert bound(costs, 1) == pytest.approx(1e6 / (115 + 10 + 30))


def test_a_busy_machine_and_a_missed_prediction_are_on_the_page() -> None:
    """So that nobody buys machines by them."""
    figures = load()
    machine = msgspec.structs.replace(figures.costs.machine, load=7.0)
    costs = msgspec.structs.replace(figures.costs, machine=machine)
    doubted = Figures(costs, [Row("waits", "ms", 235.0, 5.0)], figures.predictions)
    assert len(doubtful(doubted)) == 2
    assert "7 processes wanted to run" in "\n".join(page.tables(doubted)["trust"])
    quiet = msgspec.structs.replace(costs, machine=msgspec.structs.replace(machine, load=0.1))
    assert doubtful(Figures(quiet, [Row("waits", "ms", 5.5, 5.0)], figures.predictions)) == []


def test_the_command_keeps_nothing_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with an error that names what is wrong."""
    broken, kept = but(request=-1.0), list[Figures]()

    def predicted(_: Costs) -> Predictions:
        return broken.predictions

    monkeypatch.setattr(command, "load", lambda: broken)
    monkeypatch.setattr(command, "predict", predicted)
    monkeypatch.setattr(command, "save", kept.append)
    monkeypatch.setattr(page, "refresh", kept.append)
    result = CliRunner().invoke(command.planning)
    assert result.exit_code == 1
    assert "API, one submission: -1 is no price" in result.output
    assert kept == []
