"""Results on a terminal: a row for each figure."""

from rich.table import Table

from benchmarks.frame.result import Figure, Result, spread


def table(result: Result) -> Table:
    """Medians and quartiles, by contestant and place."""
    turns = max((len(one.values) for one in result.figures), default=0)
    shown = Table(
        title=f"{result.benchmark}: {result.seconds:.0f} s, seed {result.seed}, source {result.source}",
        caption="\n".join((f"{turns} turns; warm-up turns are not counted", *result.notes)),
    )
    shown.add_column("")
    shown.add_column("figure")
    for heading in ("median", "quartiles"):
        shown.add_column(heading, justify="right")
    shown.add_column("unit")
    before = ""
    for one in result.figures:
        if one.what.endswith("curve"):  # for pictures
            continue
        low, middle, high = spread(one.values)
        quartiles = f"{number(low)} to {number(high)}" if len(one.values) > 1 else ""
        name = label(one)
        shown.add_row("" if name == before else name, one.what, number(middle), quartiles, one.unit)
        before = name
    return shown


def label(figure: Figure) -> str:
    """Whose figure it is, and where it was taken."""
    places = (
        f"{name} {value if isinstance(value, str) else number(value)}" for name, value in figure.at.items()
    )
    return ", ".join(filter(None, (figure.who, *places)))


def number(value: float) -> str:
    """Three digits, and all of those before the point."""
    return f"{value:,.0f}" if value == 0 or abs(value) >= 100 else f"{value:.3g}"
