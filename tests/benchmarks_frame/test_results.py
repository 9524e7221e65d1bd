"""What benchmarks find is kept whole, and judged by ratios of the same round."""

from pathlib import Path

import pytest

from benchmarks.frame.bench import Bench
from benchmarks.frame.result import Figure, load, ratios, spread
from benchmarks.frame.show import number, table
from benchmarks.latency.percentiles import quantile


def figure(*values: float) -> Figure:
    """Some turns."""
    return Figure(what="drained", unit="jobs/s", values=list(values))


def test_a_result_is_read_as_it_was_kept(tmp_path: Path) -> None:
    """Figures with their places, machine, versions and seed; no name of a machine."""
    bench = Bench("some", rounds=2, seed=7, folder=tmp_path)
    bench.add("drained", "jobs/s", [1.0, 2.0], "Penstock", curve="tenants", x=10)
    bench.save()
    result = load("some", tmp_path)
    assert result is not None
    assert result.seed == 7
    assert result.find("drained", "Penstock", x=10) == figure(1.0, 2.0).__replace__(
        who="Penstock", at={"curve": "tenants", "x": 10}
    )
    assert result.find("drained", "Penstock", x=100) is None
    assert {"python", "server", "trio"} <= set(result.versions)
    assert [path.name for path in tmp_path.iterdir()] == ["some.json"]


def test_a_file_that_cannot_be_read_counts_as_not_measured(tmp_path: Path) -> None:
    """An older version's results, or none."""
    assert load("none", tmp_path) is None
    (tmp_path / "old.json").write_text('{"benchmark": "old"}')
    assert load("old", tmp_path) is None


def test_ratios_compare_turns_of_the_same_round() -> None:
    """A machine that is half as fast in the second round changes no ratio."""
    assert ratios(figure(100, 50, 25), figure(50, 25, 12.5)) == [2, 2, 2]


@pytest.mark.parametrize(("values", "expected"), [([3.0], (3, 3, 3)), ([1.0, 2.0, 3.0], (1.5, 2, 2.5))])
def test_a_spread_is_the_quartiles(values: list[float], expected: tuple[float, ...]) -> None:
    """Of a single turn, that turn."""
    assert tuple(spread(values)) == expected


def test_a_quantile_is_a_value_that_was_seen() -> None:
    """The smallest that so many percent do not exceed."""
    seen = list(map(float, range(1, 1001)))
    assert [quantile(seen, of) for of in (50, 99, 99.9, 100)] == [500, 990, 999, 1000]
    assert quantile([7.0], 99.9) == 7


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (0.0123, "0.0123"), (1.234, "1.23"), (99.96, "100"), (12345.6, "12,346")]
)
def test_numbers_have_three_digits(value: float, shown: str) -> None:
    """And all of those before the point."""
    assert number(value) == shown


def test_the_table_has_a_row_for_each_figure_but_curves(tmp_path: Path) -> None:
    """Curves are for pictures."""
    bench = Bench("some", rounds=1, folder=tmp_path)
    bench.add("drained", "jobs/s", [1.0], "a")
    bench.add("late, curve", "ms", [1.0, 2.0], "a")
    assert table(bench.result()).row_count == 1
