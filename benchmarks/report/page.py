"""docs/benchmarks.md, from the results alone: a new run and `python -m benchmarks report` refresh it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.frame.result import Figure, Result
from benchmarks.frame.show import label
from benchmarks.peers.peer import PEERS
from benchmarks.report.goals import Results, cell, rows

_HEAD = """# Benchmarks

Made by `python -m benchmarks report` from `benchmarks/results`; do not edit. `make bench` measures all of it
again, and `python -m benchmarks NAME` one part; `--quick` shows in seconds that it works.

**How it is measured.** The machine may be half as fast the next minute. So whatever is compared takes turns
of half a second, there and back, each in a process of its own with a server of its own; turns in which things
are used for the first time do not count. Figures are medians with quartiles in parentheses. *Ratios* are
medians of the ratios of turns of the same round, which lie seconds apart: trust them, and no absolute figure.
Every worker has everything on that a user would have on: leases, fencing, timeouts, retries, events.

"""
_SHORTFALLS = Path(__file__).with_name("shortfalls.md")
"""What no figure says by itself; written by hand, of the results that are kept beside the page."""
_PICTURES = {
    "throughput": "What one worker process drains, by who watches it",
    "latency": "From the time a job should have been submitted until it starts",
    "costs": "Where the microseconds of one job go",
    "scale": "How the drain rate changes with what there is",
}


def page(results: Results, pictures: Iterable[str]) -> str:
    """The whole page; what has not been measured is not in it."""
    parts = [_HEAD, _machines(results), _goals(results), _SHORTFALLS.read_text() if results else ""]
    parts += [
        f"![{_PICTURES[name]}](benchmarks/{name}.svg)\n\n" for name in _PICTURES if name in set(pictures)
    ]
    if "peers" in results:
        parts.append(_peers(results["peers"]))
    skipped = {"peers", "profile"}
    parts += [_section(result) for name, result in results.items() if name not in skipped]
    return "".join(parts).rstrip() + "\n"


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    head = f"| {' | '.join(heads)} |\n|---|{'--:|' * (len(heads) - 1)}\n"
    return head + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def _machines(results: Results) -> str:
    """Machine and versions, and which code was measured; said once where it is the same for all."""
    machines: dict[str, list[str]] = {}
    sources: dict[str, list[str]] = {}
    for name, result in results.items():
        here, found = result.machine, result.versions
        versions = ", ".join(f"{what} {which}" for what, which in found.items() if "==" not in which)
        words = f"{here.cores} cores ({here.processor}), {here.memory:g} GiB, {here.kernel}; {versions}"
        machines.setdefault(words, []).append(name)
        sources.setdefault(f"code {result.source}", []).append(name)
    lines = [_once(machines), _once(sources)]
    if quick := [name for name, result in results.items() if result.quick]:
        lines.append(f"**Quick runs, whose figures mean nothing: {', '.join(quick)}.**")
    return "".join(f"{line}\n\n" for line in lines if line)


def _once(told: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(
        words if len(told) == 1 else f"{words} ({', '.join(names)})" for words, names in told.items()
    )


def _goals(results: Results) -> str:
    marks: Mapping[bool | None, str] = {True: "yes", False: "**no**", None: "not measured"}
    lines = [
        (row.what, row.goal, row.figure or "", marks[row.reached], row.of_the_limit, row.best_peer)
        for row in rows(results)
    ]
    heads = ("", "goal", "figure", "reached", "of the limit", "best peer")
    limit = (
        "The limit is the same bytes on a bare socket: Penstock's own commands, sent again one after another "
        "by a loop that does nothing else; for HTTP, an application that does nothing on the same server.\n\n"
    )
    return "## Goals\n\n" + table(heads, lines) + limit


def _peers(result: Result) -> str:
    gives_up = {peer.name: peer.gives_up for peer in PEERS}
    columns = ("drained", "submitted", "one submission")
    lines: list[tuple[str, ...]] = []
    for name in dict.fromkeys(figure.who for figure in result.figures):
        found = (result.find(what, name) for what in columns)
        lines.append(
            (name, *("" if one is None else cell(one) for one in found), gives_up.get(name, "nothing"))
        )
    heads = (
        "",
        "drained, jobs/s",
        "submitted in bulk, jobs/s",
        "one submission, µs",
        "what it gives up by design",
    )
    return f"## Peers\n\n{table(heads, lines)}{_notes(result)}"


def _section(result: Result) -> str:
    """Contestants and places as lines, figures as columns."""
    shown = [one for one in result.figures if not one.what.endswith("curve")]
    columns = list(dict.fromkeys((one.what, one.unit) for one in shown))
    lines: dict[str, dict[tuple[str, str], Figure]] = {}
    for one in shown:
        lines.setdefault(label(one), {})[one.what, one.unit] = one
    body = [
        (name, *(cell(found[column]) if column in found else "" for column in columns))
        for name, found in lines.items()
    ]
    heads = ("", *(f"{what}, {unit}" for what, unit in columns))
    return f"## {result.benchmark}\n\n{table(heads, body)}{_notes(result)}"


def _notes(result: Result) -> str:
    turns = max((len(one.values) for one in result.figures), default=0)
    words = (
        *result.notes,
        f"{turns} turns in {result.seconds:.0f} s on {result.began[:10]}, seed {result.seed}",
    )
    return "; ".join(words) + ".\n\n"
