"""The page about planning says what was measured and simulated last."""

import pytest

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
