"""The table of goals: what was to be reached, what was, of how much that is possible, and the best peer."""

from collections.abc import Callable, Mapping
from statistics import median

import msgspec

from benchmarks.frame.result import Figure, Result, ratios, spread
from benchmarks.frame.show import number
from benchmarks.latency.run import CALLED
from benchmarks.limit import run as limit
from benchmarks.peers import run as peers
from benchmarks.scale.run import BACKLOG
from benchmarks.telemetry_variants import ALL, OFF

Results = Mapping[str, Result]
NONE = "–"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table; None where a benchmark has not been run."""

    what: str
    goal: str
    figure: str | None
    reached: bool | None
    of_the_limit: str = NONE
    best_peer: str = NONE


def rows(results: Results) -> list[Row]:
    """All goals, in the order of the design."""
    return [make(results) for make in _ROWS]


def cell(figure: Figure) -> str:
    """A median with its quartiles."""
    low, middle, high = spread(figure.values)
    return number(middle) if len(figure.values) == 1 else f"{number(middle)} ({number(low)}–{number(high)})"


def find(
    results: Results, benchmark: str, what: str, who: str | None = None, **at: str | float
) -> Figure | None:
    """A figure of a benchmark, where it has been run."""
    result = results.get(benchmark)
    return None if result is None else result.find(what, who, **at)


def _share(results: Results, benchmark: str, what: str, who: str, bound: str) -> str:
    """A figure as a share of what bounds it, in turns of the same round."""
    figure, most = find(results, benchmark, what, who), find(results, benchmark, what, bound)
    return NONE if figure is None or most is None else f"{median(ratios(figure, most)):.0%}"


def _best_peer(results: Results, what: str, *, least: bool = False) -> str:
    result = results.get("peers")
    if result is None:
        return NONE
    others = [one for one in result.every(what) if not one.who.startswith("Penstock")]
    if not others:
        return NONE
    best = (min if least else max)(others, key=lambda one: median(one.values))
    return f"{best.who}: {number(median(best.values))}"


def _row(
    figure: Figure | None,
    what: str,
    goal: str,
    reached: Callable[[float], bool],
    of_the_limit: str = NONE,
    best_peer: str = NONE,
) -> Row:
    return Row(
        what=what,
        goal=goal,
        figure=None if figure is None else f"{cell(figure)} {figure.unit}",
        reached=None if figure is None else reached(median(figure.values)),
        of_the_limit=of_the_limit,
        best_peer=best_peer,
    )


def _drain_off(results: Results) -> Row:
    return _row(
        find(results, "hotpath", "drained", OFF),
        "drain, telemetry off, every write synced",
        "≥ 25,000 jobs/s",
        lambda rate: rate >= 25_000,
        _share(results, "limit", "drained", limit.PENSTOCK, limit.IN_TURN),
        _best_peer(results, "drained"),
    )


def _drain_all(results: Results) -> Row:
    return _row(
        find(results, "hotpath", "exported", ALL),
        "drain, traced, measured, logged, until all is exported",
        "≥ 10,000 jobs/s",
        lambda rate: rate >= 10_000,
        _share_of_off(results),
    )


def _share_of_off(results: Results) -> str:
    figure, off = find(results, "hotpath", "exported", ALL), find(results, "hotpath", "drained", OFF)
    return NONE if figure is None or off is None else f"{median(ratios(figure, off)):.0%} of telemetry off"


def _against(name: str, goal: float) -> Callable[[Results], Row]:
    def row(results: Results) -> Row:
        figure = find(results, "peers", "drained", peers.PENSTOCK)
        theirs = [one for one in _peers(results) if name.lower() in one.who.lower()]
        if figure is None or not theirs:
            return Row(what=f"against {name}", goal=f"≥ {goal:g} ×", figure=None, reached=None)
        times = ratios(figure, theirs[0])
        return Row(
            what=f"against {name}",
            goal=f"≥ {goal:g} ×",
            figure=f"{median(times):.1f} ×",
            reached=median(times) >= goal,
            best_peer=f"{theirs[0].who}: {number(median(theirs[0].values))}",
        )

    return row


def _peers(results: Results) -> list[Figure]:
    return results["peers"].every("drained") if "peers" in results else []


def _telemetry(results: Results) -> Row:
    return _row(
        find(results, "telemetry", "telemetry's CPU", ALL),
        "tracing, metrics and logging together, export included",
        "≤ 40 µs CPU a job",
        lambda cost: cost <= 40,
    )


def _idle(percent: float, goal: float) -> Callable[[Results], Row]:
    def row(results: Results) -> Row:
        at: dict[str, str | float] = {"network": "near", "load": "idle", "percentile": percent}
        return _row(
            find(results, "latency", CALLED, None, **at),
            f"idle worker, from the call of `submit` to the start, p{percent:g}",
            f"≤ {goal:g} ms",
            lambda late: late <= goal,
        )

    return row


def _single(results: Results) -> Row:
    bound, ours = find(results, "submit", "one submission", "bare singly"), None
    ours = find(results, "submit", "one submission", "singly, trio")
    share = NONE if ours is None or bound is None else f"{median(ratios(bound, ours)):.0%}"
    peer = _best_peer(results, "one submission", least=True)
    return _row(ours, "submit one from Python", "≤ 200 µs", lambda late: late <= 200, share, peer)


def _bulk(results: Results) -> Row:
    return _row(
        find(results, "submit", "submitted", "bulk, trio"),
        "submit from Python in bulk",
        "≥ 40,000 jobs/s",
        lambda rate: rate >= 40_000,
        _share(results, "submit", "submitted", "bulk, trio", "bare bulk"),
        _best_peer(results, "submitted"),
    )


def _http(results: Results) -> Row:
    share = _share(results, "http", "NDJSON batch", "penstock api", "an app that does nothing")
    return _row(
        find(results, "http", "NDJSON batch", "penstock api"),
        "submit over HTTP, NDJSON",
        "≥ 15,000 jobs/s",
        lambda rate: rate >= 15_000,
        share,
    )


def _million(results: Results) -> Row:
    many = find(results, "scale", "drained", None, curve=BACKLOG, x=1_000_000)
    few = find(results, "scale", "drained", None, curve=BACKLOG, x=1_000)
    goal = "≥ 0.9 × the rate at 1,000"
    if many is None or few is None:
        return Row(what="drain with 1,000,000 jobs waiting", goal=goal, figure=None, reached=None)
    times = median(ratios(many, few))
    what = "drain with 1,000,000 jobs waiting"
    return Row(what=what, goal=goal, figure=f"{times:.2f} ×", reached=times >= 0.9)


def _waiting(results: Results) -> Row:
    return _row(
        find(results, "memory", "a waiting job in Redis"),
        "a waiting no-op job in Redis",
        "≤ 400 bytes",
        lambda size: size <= 400,
    )


def _memory(results: Results) -> Row:
    figure = find(results, "memory", "resident, growth", ALL)
    jobs = "" if figure is None else f" over {figure.at['jobs']:,} jobs"
    what = f"growth of a worker's memory{jobs}"
    return _row(figure, what, "flat (≤ 5 %)", lambda growth: growth <= 5)


_ROWS: tuple[Callable[[Results], Row], ...] = (
    _drain_off,
    _drain_all,
    _against("SAQ", 20),
    _against("streaQ", 20),
    _against("dramatiq", 8),
    _telemetry,
    _idle(50, 1),
    _idle(99, 5),
    _single,
    _bulk,
    _http,
    _million,
    _waiting,
    _memory,
)
