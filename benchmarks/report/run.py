"""Writing the pages of the results that are there."""

from importlib.util import find_spec
from pathlib import Path

import click

from benchmarks.frame.machine import ROOT
from benchmarks.frame.result import FOLDER, load
from benchmarks.report.goals import Results
from benchmarks.report.page import page
from benchmarks.report.profile_page import renewed

ORDER = (
    "hotpath",
    "limit",
    "telemetry",
    "peers",
    "published",
    "latency",
    "submit",
    "http",
    "scale",
    "memory",
    "profile",
)
"""As they stand on the page, and are run by `standard`."""
DOCS = ROOT / "docs"


def write(results_folder: Path, docs: Path) -> list[str]:
    """Write docs/benchmarks.md, its pictures and the tables of docs/performance.md; what was not measured."""
    found = {name: load(name, results_folder) for name in ORDER}
    results: Results = {name: result for name, result in found.items() if result is not None}
    pictures = docs / "benchmarks"
    if find_spec("matplotlib") is not None:
        from benchmarks.report.pictures import draw  # its group, `pictures`, is not everybody's

        draw(results, pictures)
    (docs / "benchmarks.md").write_text(page(results, [path.stem for path in pictures.glob("*.svg")]))
    performance = docs / "performance.md"
    if "profile" in results and performance.exists():
        performance.write_text(renewed(performance.read_text(), results["profile"]))
    return [name for name in ORDER if name not in results]


@click.command("report")
@click.option("--results", type=click.Path(path_type=Path), default=FOLDER, help="Where results are.")
@click.option("--docs", type=click.Path(path_type=Path), default=DOCS, help="Where the pages go.")
def report(results: Path, docs: Path) -> None:
    """Write docs/benchmarks.md and the tables of docs/performance.md from the results that are there."""
    docs.mkdir(parents=True, exist_ok=True)
    missing = write(results, docs)
    if find_spec("matplotlib") is None:
        click.echo("pictures are as they were: pip install --group pictures", err=True)
    if missing:
        click.echo(f"not measured yet: {', '.join(missing)}", err=True)
