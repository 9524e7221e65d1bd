"""The page about planning says what was measured and simulated last."""

import pytest

from benchmarks.planning.costs import Step, fit
from benchmarks.planning.figures import load
from benchmarks.planning.page import PAGE, PICTURE, filled, tables
from benchmarks.planning.picture import draw
from benchmarks.planning.sizing import ROOM


def test_the_page_is_fresh() -> None:
    """`python -m benchmarks planning` writes it."""
    page, figures = PAGE.read_text(), load()
    assert filled(page, figures) == page
    assert draw(figures.predictions.curves) == PICTURE.read_text()


def test_every_plan_has_room() -> None:
    """No server and no worker is planned beyond the part of a core that is promised."""
    for plan in load().predictions.plans:
        assert plan.cell.server <= ROOM
        assert plan.cell.worker <= ROOM
        assert not plan.cell.growing


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    """Rather than a table that nobody misses."""
    page = PAGE.read_text()
    for mark in tables(load()):
        with pytest.raises(ValueError, match=f"0 places for {mark}"):
            filled(page.replace(f"<!-- {mark}:", "<!--"), load())


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
    found = fit((1, 10, 100), costs)
    assert found.call == pytest.approx(step.call, abs=1e-3)
    assert found.job == pytest.approx(step.job, abs=1e-3)


@pytest.mark.parametrize("costs", [[10.0, 9.0, 8.0], [0.5, 10.0, 200.0]])
def test_no_price_is_below_nothing(costs: list[float]) -> None:
    """Whatever noise there was."""
    found = fit((1, 10, 100), costs)
    assert found.call >= 0
    assert found.job >= 0
