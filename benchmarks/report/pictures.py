"""The pictures of the page: small SVG, drawn by matplotlib (`pip install --group pictures`)."""

# pyright: reportMissingImports=false
# Not everybody who checks this has matplotlib: it is in a dependency group of its own.

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

from benchmarks.costs.purposes import PURPOSES
from benchmarks.frame.result import Figure, Result, spread
from benchmarks.latency.percentiles import QUANTILES
from benchmarks.latency.run import NETWORKS
from benchmarks.report.goals import Results

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "penstock",  # the same results, the same bytes
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(results: Results, folder: Path) -> list[str]:
    """Write a file for each picture whose results are there; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn: list[str] = []
    for name, (benchmark, make) in _PICTURES.items():
        if benchmark in results:
            with mpl.rc_context(_STYLE):
                figure = make(results[benchmark])
                figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")
                plt.close(figure)
            drawn.append(name)
    return drawn


def _throughput(result: Result) -> Any:
    figure, axes = plt.subplots(figsize=(6.5, 2.4))
    shown = [(one.who, spread(one.values)) for one in result.every("exported")]
    _bars(axes, shown)
    axes.set_xlabel("jobs drained and exported a second")
    return figure


def _bars(axes: Any, shown: Sequence[tuple[str, Any]]) -> None:
    names = [name for name, _ in shown]
    middles = [one.middle for _, one in shown]
    errors = [[one.middle - one.low for _, one in shown], [one.high - one.middle for _, one in shown]]
    axes.barh(names, middles, xerr=errors, color="#4878a8", ecolor="#333333", height=0.6)
    axes.invert_yaxis()


def _latency(result: Result) -> Any:
    figure, all_axes = plt.subplots(1, len(NETWORKS), figsize=(6.5, 3), sharey=True)
    for axes, network in zip(all_axes, NETWORKS, strict=True):
        for one in result.every("submit to start, curve", network=network):
            # On this axis each step to the right is ten times as rare: 90 %, 99 %, 99.9 %.
            rare = [(100 / (100 - percent), late) for percent, late in _points(one) if percent < 100]
            axes.plot(*zip(*rare, strict=True), label=str(one.at["load"]), linewidth=1.3)
        axes.set(xscale="log", yscale="log", title=network)
        axes.set_xticks([1, 10, 100, 1000], ["0", "90 %", "99 %", "99.9 %"])
        axes.grid(visible=True, color="#dddddd")
    all_axes[0].set_ylabel("submit to start, ms")
    all_axes[0].legend(title="load", frameon=False)
    return figure


def _points(one: Figure) -> list[tuple[float, float]]:
    return list(zip(map(float, QUANTILES), one.values, strict=True))


def _costs(result: Result) -> Any:
    figure, axes = plt.subplots(figsize=(6.5, 2.6))
    colours = [plt.get_cmap("tab20")(number) for number in range(len(PURPOSES))]
    whose = list(dict.fromkeys(one.who for one in result.every("worker")))
    left = dict.fromkeys(whose, 0.0)
    for purpose, colour in zip(PURPOSES, colours, strict=True):
        widths = []
        for who in whose:
            one = result.find("worker", who, purpose=purpose)
            widths.append(spread(one.values).middle if one is not None else 0.0)
        if any(widths):
            axes.barh(whose, widths, left=list(left.values()), label=purpose, color=colour, height=0.6)
        for who, width in zip(whose, widths, strict=True):
            left[who] += width
    axes.invert_yaxis()
    axes.set_xlabel("µs of CPU a job, in the worker process")
    axes.legend(fontsize=7, frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.25))
    return figure


def _scale(result: Result) -> Any:
    curves = list(dict.fromkeys(str(one.at["curve"]) for one in result.every("drained")))
    figure, all_axes = plt.subplots(1, len(curves), figsize=(1.8 * len(curves), 2.4), squeeze=False)
    for axes, curve in zip(all_axes[0], curves, strict=True):
        found = result.every("drained", curve=curve)
        spreads = [spread(one.values) for one in found]
        places = [float(one.at["x"]) for one in found]
        axes.plot(places, [one.middle for one in spreads], marker="o", markersize=3, linewidth=1.3)
        axes.fill_between(places, [one.low for one in spreads], [one.high for one in spreads], alpha=0.25)
        axes.set(xscale="log", xlabel=curve)
        axes.set_xticks(places, [_thousands(place) for place in places])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=7)
    all_axes[0][0].set_ylabel("jobs/s")
    figure.tight_layout()
    return figure


def _thousands(place: float) -> str:
    """Short enough for an axis: 1000 is 1k."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if place >= size:
            return f"{place / size:g}{letter}"
    return f"{place:g}"


_PICTURES: dict[str, tuple[str, Callable[[Result], Any]]] = {
    "throughput": ("telemetry", _throughput),
    "latency": ("latency", _latency),
    "costs": ("profile", _costs),
    "scale": ("scale", _scale),
}
