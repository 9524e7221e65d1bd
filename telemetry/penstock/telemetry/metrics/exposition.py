"""Writes a registry for Prometheus: text format 0.0.4, or OpenMetrics 1.0 with exemplars.

Ours because aioprometheus escapes neither label values nor help and knows no OpenMetrics; one quotation
mark in a label would make Prometheus reject the whole scrape. Rules are quoted from
https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics 1.0 specification.
"""

from collections.abc import Iterator
from enum import StrEnum
from itertools import accumulate
from math import inf, isnan

from penstock.telemetry.metrics.label_text import escape
from penstock.telemetry.metrics.series import CounterChild, Exemplar, GaugeChild, HistogramChild
from penstock.telemetry.metrics.snapshot import Families, ReadableFamily


class Format(StrEnum):
    """The formats we write; the value is the content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def negotiate(accept: str) -> Format:
    """Choose by an `Accept` header (RFC 9110, §12.5.1): OpenMetrics only where it is asked for by name
    and nothing textual is preferred to it."""
    openmetrics, text = 0.0, 0.0
    for offer in accept.split(","):
        media, _, parameters = offer.partition(";")
        match media.strip().lower():
            case "application/openmetrics-text":
                openmetrics = max(openmetrics, _quality(parameters))
            case "text/plain" | "text/*" | "*/*":
                text = max(text, _quality(parameters))
            case _:
                pass
    return Format.OPENMETRICS if openmetrics > 0 and openmetrics >= text else Format.TEXT


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0  # malformed: as if it had not been offered
    return 1.0


def render(source: Families, form: Format) -> Iterator[str]:
    """The exposition in pieces of one series each, so that the caller may let others run in between.

    Each series is consistent in itself; different series may be a few milliseconds apart.
    """
    openmetrics = form is Format.OPENMETRICS
    for family in source.families():
        yield _head(family, openmetrics)
        for child in family.children():
            match child:
                case HistogramChild():
                    yield _distribution(family.name, child, openmetrics)
                case CounterChild() | GaugeChild():
                    yield f"{family.name}{_braces(child.labels)} {number(child.value)}\n"
    if openmetrics:
        yield "# EOF\n"


def _head(family: ReadableFamily, openmetrics: bool) -> str:
    name, doc = family.name, family.doc
    if openmetrics:
        # There the family of a counter is named without the suffix its samples carry.
        name = name.removesuffix("_total") if family.kind.name == "counter" else name
        doc = escape(doc)
    else:
        doc = doc.replace("\\", r"\\").replace("\n", r"\n")  # quotes stay as they are in help
    return f"# HELP {name} {doc}\n# TYPE {name} {family.kind.name}\n"


def _distribution(name: str, child: HistogramChild, openmetrics: bool) -> str:
    labels = f"{child.labels}," if child.labels else ""
    lines: list[str] = []
    count = 0
    counts, total, exemplars = child.read()
    bounds = (*child.bounds, inf)
    for bound, count, exemplar in zip(bounds, accumulate(counts), exemplars, strict=True):
        note = _exemplar(exemplar) if openmetrics and exemplar is not None else ""
        # `le` as a float even where it is whole: what OpenMetrics asks and Prometheus 3 makes of it.
        lines.append(f'{name}_bucket{{{labels}le="{number(float(bound))}"}} {count}{note}\n')
    braces = _braces(child.labels)
    lines.append(f"{name}_sum{braces} {number(total)}\n{name}_count{braces} {count}\n")
    return "".join(lines)


def _exemplar(exemplar: Exemplar) -> str:
    trace_id, value, when = exemplar
    return f' # {{trace_id="{escape(trace_id)}"}} {number(value)} {when:.3f}'


def _braces(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""


def number(value: float) -> str:
    """A sample's value in Go's notation: `NaN`, `+Inf`, `-Inf`, or the shortest exact decimal."""
    if isnan(value):
        return "NaN"
    if value in (inf, -inf):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)
