"""Tables of docs/planning.md, written between marks in the page from the figures that are kept."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.planning.costs import OFF, ON, Step
from benchmarks.planning.doubts import doubtful
from benchmarks.planning.figures import QUEUES_A_NODE, Figures
from benchmarks.planning.picture import draw, name
from benchmarks.planning.sizing import PARTS

DOCS = Path(__file__).parents[2] / "docs"
PAGE, PICTURE = DOCS / "planning.md", DOCS / "pictures" / "planning-waits.svg"
_GIB = 2**30


def refresh(figures: Figures) -> None:
    """Write the tables and the picture anew."""
    PAGE.write_text(filled(PAGE.read_text(), figures))
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(figures.predictions.curves))


def filled(page: str, figures: Figures) -> str:
    """The page with its tables as these figures have them."""
    for mark, lines in tables(figures).items():
        places = re.findall(rf"<!-- {mark}: generated -->\n.*?<!-- end -->", page, re.DOTALL)
        if len(places) != 1:
            raise ValueError(f"the page has {len(places)} places for {mark}")
        page = page.replace(places[0], "\n".join([f"<!-- {mark}: generated -->", *lines, "<!-- end -->"]))
    return page


def tables(figures: Figures) -> dict[str, list[str]]:
    """Every table by its mark."""
    return {
        "trust": _trust(figures),
        "machine": _machine(figures),
        "costs": _costs(figures),
        "checked": _checked(figures),
        "ceilings": _ceilings(figures),
        "plans": _plans(figures),
        "memory": _memory(figures),
        "uneven": _uneven(figures),
    }


def _trust(figures: Figures) -> list[str]:
    worst = max((abs(row.error) for row in figures.checked), default=0.0)
    doubts = doubtful(figures)
    if not doubts:
        return [
            f"**What to trust.** The model came within {worst:.0%} of all that one machine can try (below)."
        ]
    warning = "**What to trust.** Take the figures below for their order of magnitude, and measure anew:"
    return [warning, "", *(f"- {doubt}" for doubt in doubts)]


def _machine(figures: Figures) -> list[str]:
    costs = figures.costs
    machine = costs.machine
    return [
        (
            f"Measured on {costs.date}: {machine.cores} cores of {machine.processor}, "
            f"{machine.memory:g} GiB, {machine.kernel}, Python {costs.versions['python']}, "
            f"{costs.versions['server']}; "
            f"{machine.load:g} processes wanted to run in the minute before."
        )
    ]


def _costs(figures: Figures) -> list[str]:
    costs = figures.costs
    rows = [
        ("server: each turn of its loop, shared by the calls in it", f"{costs.server.cycle:,.0f}", ""),
        ("server: submit", *_step(costs.server.submit)),
        ("server: claim", *_step(costs.server.claim)),
        ("server: settle", *_step(costs.server.settle)),
        ("worker, telemetry off", *_step(costs.worker[OFF])),
        ("worker, traced, measured, logged", *_step(costs.worker[ON])),
        ("`submit_many` in Python", *_step(costs.client)),
        ("API, one submission in a request", "", f"{costs.request:,.0f}"),
        ("API, one of many in a request (NDJSON)", "", f"{costs.line:,.0f}"),
    ]
    each = costs.bytes
    return [
        *_table(("processor time, µs", "of each call or round trip", "of each job"), rows),
        "",
        *_table(
            ("bytes of one job, its arguments being " + str(each.arguments), ""),
            [
                ("to the server, from it", f"{each.received:,.0f}, {each.sent:,.0f}"),
                ("in the append-only file", f"{each.append_only:,.0f}"),
                ("of memory while it waits", f"{each.waiting:,.0f}"),
                ("of memory from its end until `result_ttl`", f"{each.ended:,.0f}"),
            ],
        ),
        "",
        f"A write that has to be on disk (`appendfsync always`) waits {costs.sync:.1f} ms for it.",
    ]


def _step(step: Step) -> tuple[str, str]:
    return f"{step.call:,.0f}", f"{step.job:,.1f}"


def _checked(figures: Figures) -> list[str]:
    return _table(
        ("on one machine", "predicted", "measured", "error"),
        [
            (
                row.what,
                f"{row.predicted:,.4g} {row.unit}",
                f"{row.measured:,.4g} {row.unit}",
                f"{row.error:+.0%}",
            )
            for row in figures.checked
        ],
    )


def _ceilings(figures: Figures) -> list[str]:
    half, high = PARTS.index(0.5), PARTS.index(0.9)
    return _table(
        ("submitted, `appendfsync`", "jobs a second", "wait at 50 %: median, p99", "at 90 %"),
        [
            (
                name(curve),
                f"{curve.top.rate:,.2g}" if curve.top.rate < 100 else f"{round(curve.top.rate, -2):,.0f}",
                _waits(curve.points[half].median, curve.points[half].p99),
                _waits(curve.points[high].median, curve.points[high].p99),
            )
            for curve in figures.predictions.curves
        ],
    )


def _waits(median: float, p99: float) -> str:
    return f"{1000 * median:,.1f}, {1000 * p99:,.1f} ms"


def _plans(figures: Figures) -> list[str]:
    heads = ("jobs a second", "submitted", "servers", "workers", "APIs", "core of a server, of a worker")
    return _table(
        (*heads, "wait: median, p99", "network in, out of a server", "appended by a server"),
        [
            (
                f"{plan.rate:,}",
                "one by one" if plan.batch == 1 else f"{plan.batch} at once",
                f"{plan.nodes:,}",
                f"{plan.workers:,}",
                f"{plan.apis:,}",
                f"{plan.cell.server:.0%}, {plan.cell.worker:.0%}",
                _waits(plan.cell.median, plan.cell.p99),
                f"{plan.received:,.0f}, {plan.sent:,.0f} Mbit/s",
                f"{plan.written:,.1f} MB/s",
            )
            for plan in figures.predictions.plans
        ],
    )


def _memory(figures: Figures) -> list[str]:
    each = figures.costs.bytes
    return _table(
        ("jobs a second", "backlog of 10 min", "`result_ttl` 24 h (default)", "1 h", "1 min"),
        [
            (
                f"{rate:,}",
                *(_bytes(rate * seconds * size) for seconds, size in _kept(each.waiting, each.ended)),
            )
            for rate in sorted({plan.rate for plan in figures.predictions.plans})
        ],
    )


def _kept(waiting: float, ended: float) -> Sequence[tuple[float, float]]:
    return (600, waiting), (86_400, ended), (3_600, ended), (60, ended)


def _bytes(amount: float) -> str:
    return f"{amount / _GIB:,.1f} GiB" if amount < 1000 * _GIB else f"{amount / _GIB / 1024:,.1f} TiB"


def _uneven(figures: Figures) -> list[str]:
    by_nodes = dict[int, list[str]]()
    for one in figures.predictions.uneven:
        by_nodes.setdefault(one.nodes, []).append(f"{one.times:.2f}")
    heads = ("servers", *(f"{each} queue{'s' * (each > 1)} a server" for each in QUEUES_A_NODE))
    return _table(heads, [(str(nodes), *times) for nodes, times in by_nodes.items()])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    align = ["---", *("---:" for _ in heads[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (heads, align, *rows)]
