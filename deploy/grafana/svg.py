"""Panels drawn as SVG: enough to see in the docs what a dashboard shows, where there is no Grafana to ask."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isfinite

from grafana.panel import JSON

COLUMN, LINE = 50, 30
"""Pixels of one of Grafana's 24 columns and of one line of its grid."""
_COLOURS = ("#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0")
_STYLE = (
    "text{font:11px sans-serif;fill:#ccccdc}.t{font-weight:bold}.v{font-size:26px;fill:#7eb26d}"
    ".p{fill:#181b1f;stroke:#2c3235}.a{stroke:#2c3235}.d{fill:#8e8e98;font-size:10px}"
)

Points = Sequence[tuple[float, float]]
"""Seconds since the epoch, and values."""
Lines = Mapping[str, Points]
"""By what they are called."""


def page(title: str, bodies: Sequence[str], height: int) -> str:
    """A whole picture."""
    width = 24 * COLUMN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f'<rect width="{width}" height="{height}" fill="#111217"/>' + "".join(bodies) + "</svg>\n"
    )


def heading(panel: JSON) -> str:
    """A row's title."""
    return f'<text class="t" x="10" y="{panel["gridPos"]["y"] * LINE + 20}">{escape(panel["title"])}</text>'


def graph(panel: JSON, lines: Lines, unit: str) -> str:
    """Lines over time, from 0 up."""
    x, y, width, height = _place(panel)
    left, top, wide, high = x + 50, y + 28, width - 60, height - 62
    points = [point for line in lines.values() for point in line if isfinite(point[1])]
    most = max((value for _, value in points), default=0) or 1
    since, until = min((t for t, _ in points), default=0), max((t for t, _ in points), default=1)
    drawn = [_frame(panel)]
    for share in (0, 0.5, 1):
        at = top + high * (1 - share)
        drawn.append(f'<path class="a" d="M{left} {at:.0f}h{wide}"/>')
        drawn.append(f'<text class="d" x="{x + 4}" y="{at + 4:.0f}">{human(most * share, unit)}</text>')
    for index, line in enumerate(lines.values()):
        path = " ".join(
            f"{left + wide * (t - since) / max(until - since, 1):.0f},{top + high * (1 - value / most):.1f}"
            for t, value in line
            if isfinite(value)
        )
        colour = _COLOURS[index % len(_COLOURS)]
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return "".join(drawn) + _legend(x, y + height, width, list(lines))


def value(panel: JSON, number: float | None, unit: str) -> str:
    """One number, large."""
    x, y, _, height = _place(panel)
    text = "–" if number is None else human(number, unit)
    return f'{_frame(panel)}<text class="v" x="{x + 12}" y="{y + height - 24}">{text}</text>'


def rows(panel: JSON, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A table."""
    x, y, width, _ = _place(panel)
    drawn, step = [_frame(panel)], (width - 20) / max(len(columns), 1)
    for line, row in enumerate((columns, *cells)):
        for column, text in enumerate(row):
            style = ' class="t"' if line == 0 else ""
            at = f'x="{x + 12 + column * step:.0f}" y="{y + 46 + 20 * line}"'
            drawn.append(f"<text{style} {at}>{escape(text)}</text>")
    return "".join(drawn)


def human(number: float, unit: str) -> str:
    """A number as one reads it: `12 ms`, `3.4/s`, `25%`."""
    if unit == "percentunit":
        return f"{number * 100:.3g}%" if number < 10 else f"{number * 100:.0f}%"
    if unit == "s" and 0 < number < 1:
        return f"{number * 1000:.3g} ms"
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g}{letter}{_SIGN.get(unit, '')}"
    return f"{number:.3g}{_SIGN.get(unit, '')}"


_SIGN = {"s": " s", "ops": "/s", "reqps": "/s", "bytes": " B"}


def _place(panel: JSON) -> tuple[int, int, int, int]:
    at = panel["gridPos"]
    return at["x"] * COLUMN + 4, at["y"] * LINE + 4, at["w"] * COLUMN - 8, at["h"] * LINE - 8


def _frame(panel: JSON) -> str:
    x, y, width, height = _place(panel)
    return (
        f'<rect class="p" x="{x}" y="{y}" width="{width}" height="{height}" rx="3"/>'
        f'<text class="t" x="{x + 10}" y="{y + 18}">{escape(panel["title"])}</text>'
    )


def _legend(x: int, bottom: int, width: int, names: Sequence[str]) -> str:
    drawn, at = "", x + 12
    for index, name in enumerate(names):
        if at + 7 * len(name) > x + width:
            break
        colour = _COLOURS[index % len(_COLOURS)]
        drawn += f'<path d="M{at} {bottom - 14}h10" stroke="{colour}" stroke-width="3"/>'
        drawn += f'<text class="d" x="{at + 14}" y="{bottom - 10}">{escape(name)}</text>'
        at += 24 + 6 * len(name)
    return drawn
