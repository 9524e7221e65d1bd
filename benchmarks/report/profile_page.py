"""The generated part of docs/performance.md: between two marks, so that prose stands around it."""

from collections.abc import Sequence
from statistics import median

from benchmarks.costs.purposes import PURPOSES
from benchmarks.frame.result import Figure, Result
from benchmarks.frame.show import number
from benchmarks.report.goals import cell
from benchmarks.report.page import table

BEGIN, END = "<!-- made by `python -m benchmarks report` -->", "<!-- until here -->"


def renewed(text: str, result: Result) -> str:
    """The page with its tables made anew; raises `ValueError` where the marks are not there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"docs/performance.md has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{_tables(result)}{END}{after}"


def _tables(result: Result) -> str:
    whose = list(dict.fromkeys(one.who for one in result.every("worker")))
    return _purposes(result, whose) + "".join(_functions(result, who) for who in whose)


def _purposes(result: Result, whose: Sequence[str]) -> str:
    lines: list[tuple[str, ...]] = []
    for purpose in PURPOSES:
        found = [result.find("worker", who, purpose=purpose) for who in whose]
        if any(found):
            lines.append((purpose, *("" if one is None else cell(one) for one in found)))
    totals = [sum(median(one.values) for one in result.every("worker") if one.who == who) for who in whose]
    lines.append(("**the worker process**", *map(number, totals)))
    lines.append(("the server", *(_server(result.find("server", who)) for who in whose)))
    return table(("µs of CPU a job", *whose), lines)


def _server(figure: Figure | None) -> str:
    return "" if figure is None else cell(figure)


def _functions(result: Result, who: str) -> str:
    found = [one for one in result.every("in") if one.who == who]
    lines = [(f"`{one.at['function']}`", number(one.values[0])) for one in found]
    return f"The costliest functions, {who}:\n\n{table(('', 'µs a job'), lines)}"
