"""The standard set: every benchmark of the report, one after another, then the report."""

import subprocess
import sys
import time
from pathlib import Path

import click

from benchmarks.frame.machine import ROOT, source
from benchmarks.frame.result import FOLDER, load
from benchmarks.report.run import ORDER


@click.command("standard")
@click.option("--quick", is_flag=True, help="Seconds instead of minutes: to see that all of it works.")
@click.option("--again", is_flag=True, help="Also those that were measured with this very code already.")
@click.option("--results", type=click.Path(path_type=Path), default=FOLDER, help="Where results are kept.")
@click.option("--docs", type=click.Path(path_type=Path), default=ROOT / "docs", help="Where the pages go.")
def standard(quick: bool, again: bool, results: Path, docs: Path) -> None:
    """Run every benchmark of the report in a process of its own, then write the report.

    One that was interrupted is taken up where it ended: what was measured with this very code is not
    measured again.
    """
    failed: list[str] = []
    for number, name in enumerate(ORDER, 1):
        last = load(name, results)
        if not again and last is not None and last.source == source() and last.quick == quick:
            click.echo(f"[{number}/{len(ORDER)}] {name}: is there, from {last.began}", err=True)
            continue
        click.echo(f"[{number}/{len(ORDER)}] {name}", err=True)
        began = time.monotonic()
        command = [sys.executable, "-m", "benchmarks", name, "--results", str(results)]
        if subprocess.run([*command, *(["--quick"] if quick else [])], cwd=ROOT).returncode != 0:
            failed.append(name)
        click.echo(f"    {time.monotonic() - began:.0f} s", err=True)
    pages = ["report", "--results", str(results), "--docs", str(docs)]
    subprocess.run([sys.executable, "-m", "benchmarks", *pages], cwd=ROOT, check=True)
    if failed:
        raise SystemExit(f"could not be measured: {', '.join(failed)}")
