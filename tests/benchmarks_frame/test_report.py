"""The page follows from the results alone."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.commands import COMMANDS
from benchmarks.frame.bench import Bench
from benchmarks.frame.result import save
from benchmarks.peers.peer import PEERS
from benchmarks.peers.run import PENSTOCK
from benchmarks.report.goals import rows
from benchmarks.report.page import page
from benchmarks.report.profile_page import BEGIN, END, renewed
from benchmarks.report.run import ORDER, report
from benchmarks.telemetry_variants import ALL, OFF


def hotpath(folder: Path, drained: float) -> Bench:
    """A result of one benchmark."""
    bench = Bench("hotpath", rounds=1, folder=folder)
    bench.add("drained", "jobs/s", [drained], OFF)
    bench.add("exported", "jobs/s", [drained / 2], ALL)
    return bench


def test_a_goal_is_reached_or_not_or_not_measured(tmp_path: Path) -> None:
    """Nothing is claimed of what was not run."""
    found = {row.what: row.reached for row in rows({"hotpath": hotpath(tmp_path, 24_000).result()})}
    assert len(found) == 14
    assert found["drain, telemetry off, every write synced"] is False
    assert found["drain, traced, measured, logged, until all is exported"] is True
    assert found["submit over HTTP, NDJSON"] is None
    assert [row.reached for row in rows({})] == [None] * 14


def test_peers_are_compared_round_by_round(tmp_path: Path) -> None:
    """The median of the ratios, not the ratio of the medians."""
    bench = Bench("peers", rounds=3, folder=tmp_path)
    bench.add("drained", "jobs/s", [2000, 1000, 4000], PENSTOCK)
    bench.add("drained", "jobs/s", [100, 50, 200], "SAQ 0.26.4")
    row = next(row for row in rows({"peers": bench.result()}) if row.what == "against SAQ")
    assert (row.figure, row.reached) == ("20.0 ×", True)
    assert row.best_peer == "SAQ 0.26.4: 100"


def test_the_page_says_what_each_peer_gives_up(tmp_path: Path) -> None:
    """Beside its figures."""
    bench = Bench("peers", rounds=1, folder=tmp_path)
    for peer in PEERS:
        bench.add("drained", "jobs/s", [100], peer.name)
    text = page({"peers": bench.result()}, [])
    assert all(f"| {peer.name} | 100 |" in text and peer.gives_up in text for peer in PEERS)


def test_a_quick_run_is_named_as_such(tmp_path: Path) -> None:
    """Its figures mean nothing."""
    bench = Bench("hotpath", rounds=1, quick=True, folder=tmp_path)
    assert "mean nothing: hotpath" in page({"hotpath": bench.result()}, [])


def test_the_command_writes_the_page_and_says_what_is_missing(tmp_path: Path) -> None:
    """Everything but the one result that is there."""
    save(hotpath(tmp_path, 1).result(), tmp_path)
    ran = CliRunner().invoke(report, ["--results", str(tmp_path), "--docs", str(tmp_path / "docs")])
    assert ran.exit_code == 0
    assert "not measured yet: limit, telemetry" in ran.stderr
    assert "**no**" in (tmp_path / "docs" / "benchmarks.md").read_text()


def test_every_benchmark_of_the_report_is_a_command() -> None:
    """Else the standard set would end with an error."""
    assert set(ORDER) <= {command.name for command in COMMANDS}


def test_tables_are_made_anew_between_their_marks(tmp_path: Path) -> None:
    """Prose around them stays; a page without marks is left alone."""
    bench = Bench("profile", rounds=1, folder=tmp_path)
    bench.add("worker", "µs/job", [12.0], OFF, purpose="Trio")
    text = renewed(f"before\n{BEGIN}\nold\n{END}\nbehind\n", bench.result())
    assert text.startswith("before\n")
    assert text.endswith("behind\n")
    assert "old" not in text
    assert "| Trio | 12 |" in text
    assert renewed(text, bench.result()) == text
    with pytest.raises(ValueError, match="has no"):
        renewed("nothing", bench.result())
