"""What is wrong with figures: those that cannot be, which are not kept, and those that want a second look."""

import math
from collections.abc import Iterator

from benchmarks.planning.costs import SCRIPTS, Costs, Step
from benchmarks.planning.figures import Figures
from benchmarks.planning.model.cell import Seen
from benchmarks.planning.sizing import PARTS, bound

QUIET = 1.0
"""Processes that may have wanted to run in the minute before: the shell, an editor."""
NEAR = 0.3
"""Part by which a prediction may miss what was measured."""
_ROUNDING = 1.001
_DONE = 0.8  # part of what came in that a queue below its ceiling has to have settled


def impossible(figures: Figures) -> list[str]:
    """Figures that cannot be, whatever the machine: a sentence each."""
    costs, predictions = figures.costs, figures.predictions
    found = list(_prices(costs))
    for curve in predictions.curves:
        top, most = curve.top, bound(costs, curve.top.batch)
        what = f"a queue with {top.batch} at once"
        if top.rate > most * _ROUNDING:
            found.append(
                f"{what}: its ceiling, {top.rate:,.0f} a second, is above what its calls allow, {most:,.0f}"
            )
        for part, seen in zip(PARTS, curve.points, strict=True):
            found += _seen(f"{what}, {part:.0%} of its ceiling", seen, part * top.rate)
    for plan in predictions.plans:
        found += _seen(f"the plan for {plan.rate:,} by {plan.batch}", plan.cell, plan.rate / plan.nodes)
    return found


def doubtful(figures: Figures) -> list[str]:
    """What may be true and should be measured again."""
    found, load = list[str](), figures.costs.machine.load
    if load > QUIET:
        found.append(f"The machine was not quiet: {load:g} processes wanted to run in the minute before.")
    for row in figures.checked:
        if abs(row.error) > NEAR:
            found.append(f"The model misses “{row.what}” by {row.error:+.0%}.")
    return found


def _prices(costs: Costs) -> Iterator[str]:
    steps = {f"server: {script}": getattr(costs.server, script) for script in SCRIPTS}
    steps |= {f"worker, {variant}": step for variant, step in costs.worker.items()}
    for what, step in steps.items():
        if not (_price(step.call) and _price(step.job) and step.job > 0):
            yield f"{what}: {_words(step)} is no price"
    each = costs.bytes
    singles = {"API, one submission": costs.request, "API, one of many": costs.line}
    singles |= {"bytes received": each.received, "bytes appended": each.append_only}
    singles |= {"bytes of memory while waiting": each.waiting, "after the end": each.ended}
    for what, price in singles.items():
        if not (_price(price) and price > 0):
            yield f"{what}: {price:g} is no price"
    for what, price in (("server: cycle", costs.server.cycle), ("disk", costs.sync)):
        if not _price(price):
            yield f"{what}: {price:g} is no price"


def _price(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _words(step: Step) -> str:
    return f"{step.call:g} a call and {step.job:g} a job"


def _seen(what: str, seen: Seen, rate: float) -> Iterator[str]:
    if max(seen.server, seen.worker) > _ROUNDING:
        yield f"{what}: more than all of a core is busy"
    if not 0 < seen.median <= seen.p99:
        yield f"{what}: waits of {1e3 * seen.median:g} and {1e3 * seen.p99:g} ms"
    if seen.rate < _DONE * rate:
        yield f"{what}: {seen.rate:,.0f} done of {rate:,.0f} a second"
