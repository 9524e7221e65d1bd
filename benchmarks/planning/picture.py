"""A picture of waits over load, drawn as SVG without any library."""

import math
from collections.abc import Sequence

from benchmarks.planning.figures import Curve
from benchmarks.planning.sizing import PARTS

WIDTH, HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 210, 20, 50
_FONT = 'font-family="sans-serif" font-size="12"'
_COLOURS = ("#0b6e99", "#b3541e", "#3a7d44", "#7b3f98")


def draw(curves: Sequence[Curve]) -> str:
    """Medians dashed, p99 whole lines; milliseconds, on a logarithmic scale."""
    waits = [1000 * seen.p99 for curve in curves for seen in curve.points]
    waits += [1000 * seen.median for curve in curves for seen in curve.points]
    low = math.floor(math.log10(max(0.01, min(waits))))
    high = math.ceil(math.log10(max(waits)))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {_FONT}>',
        "<title>Milliseconds from a job’s being stored to its start over the load of a queue</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *_axes(low, high),
    ]
    for number, (curve, colour) in enumerate(zip(curves, _COLOURS, strict=False)):
        for values, dash in (
            ([seen.p99 for seen in curve.points], ""),
            ([seen.median for seen in curve.points], ' stroke-dasharray="5 4"'),
        ):
            points = " ".join(
                f"{_x(part):.1f},{_y(1000 * value, low, high):.1f}"
                for part, value in zip(PARTS, values, strict=True)
            )
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
            )
        parts.append(_label(number, name(curve), colour))
    parts.append(_label(len(curves), "whole line p99, dashed median", "#444"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def name(curve: Curve) -> str:
    """What a curve is of."""
    submitted = "one by one" if curve.top.batch == 1 else f"{curve.top.batch} at once"
    return f"{submitted}, {'always' if curve.top.sync else 'everysec'}"


def _axes(low: int, high: int) -> list[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    lines = list[str]()
    for power in range(low, high + 1):
        y = _y(10**power, low, high)
        lines.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#ddd"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} ms</text>')
    for percent in range(0, 101, 20):
        x = _x(percent / 100)
        lines.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="#eee"/>')
        lines.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{percent} %</text>')
    middle = (_LEFT + right) / 2
    lines.append(f'<text x="{middle}" y="{bottom + 38}" text-anchor="middle">of the queue’s ceiling</text>')
    return lines


def _label(number: int, text: str, colour: str) -> str:
    x, y = WIDTH - _RIGHT + 12, _TOP + 14 + 20 * number
    return f'<text x="{x}" y="{y}" fill="{colour}">{text}</text>'


def _x(part: float) -> float:
    return _LEFT + part * (WIDTH - _LEFT - _RIGHT)


def _y(value: float, low: int, high: int) -> float:
    part = (math.log10(max(value, 10.0**low)) - low) / (high - low)
    return HEIGHT - _BOTTOM - part * (HEIGHT - _TOP - _BOTTOM)
