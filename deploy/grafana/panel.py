"""Panels: what they ask Prometheus, and how they show it."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from prometheus.alerting.catalogue import check_names

PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
LOKI = {"type": "loki", "uid": "loki"}

Kind = Literal["timeseries", "stat", "table", "logs"]
JSON = dict[str, Any]


class Query(msgspec.Struct, frozen=True):
    """One expression, and what its series are called."""

    expression: str
    legend: str = ""
    exemplars: bool = False
    """Show traces as dots that lead to them; of histograms."""


class Panel(msgspec.Struct, frozen=True):
    """One panel; `width` is of 24 columns."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    about: str = ""
    width: int = 8
    height: int = 8
    kind: Kind = "timeseries"
    stacked: bool = False
    limit: float | None = None
    """From here on a value is drawn in red."""


def series(title: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """Lines over time."""
    return Panel(title, queries, unit, **more)


def number(
    title: str, expression: str, unit: str = "short", *, width: int = 3, limit: float | None = None
) -> Panel:
    """The value now, large, with its course behind it."""
    return Panel(title, (Query(expression),), unit, width=width, height=4, kind="stat", limit=limit)


def table(title: str, columns: Mapping[str, str], *, width: int = 24) -> Panel:
    """One row for each label set, one column for each expression; the keys head them."""
    queries = tuple(Query(expression, heading) for heading, expression in columns.items())
    return Panel(title, queries, kind="table", width=width)


def logs(title: str, expression: str) -> Panel:
    """Lines from Loki."""
    return Panel(title, (Query(expression),), kind="logs", width=24, height=10)


def as_json(panel: Panel, number_: int, x: int, y: int) -> JSON:
    """As Grafana reads it. Raises `UnknownMetric`."""
    source = LOKI if panel.kind == "logs" else PROMETHEUS
    made: JSON = {
        "id": number_,
        "type": panel.kind,
        "title": panel.title,
        "datasource": source,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "targets": [_target(panel, query, index) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel),
    }
    if panel.about:
        made["description"] = panel.about
    if panel.kind == "table":
        made["transformations"] = _columns(panel)
    return made


def _target(panel: Panel, query: Query, index: int) -> JSON:
    target: JSON = {
        "refId": chr(ord("A") + index),
        "datasource": LOKI if panel.kind == "logs" else PROMETHEUS,
    }
    if panel.kind == "logs":
        return {**target, "expr": query.expression}
    target["expr"] = check_names(query.expression)
    if panel.kind == "table":
        return {**target, "instant": True, "range": False, "format": "table"}
    if query.legend:
        target["legendFormat"] = query.legend
    return {**target, "exemplar": True} if query.exemplars else target


def _field(panel: Panel) -> JSON:
    steps: list[JSON] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    field: JSON = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind == "timeseries":
        field["min"] = 0
        field["custom"] = {
            "fillOpacity": 30 if panel.stacked else 5,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none"},
            "thresholdsStyle": {"mode": "off" if panel.limit is None else "line"},
        }
        if panel.unit == "percentunit":
            field["custom"]["axisSoftMax"] = 1  # or a line at 0 has an axis of 10,000 %
    if panel.kind == "table":
        field["custom"] = {"minWidth": 80}  # pixels of a column; by default ours would not fit on a page
    return field


def _options(panel: Panel) -> JSON:
    if panel.kind == "timeseries":
        return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    if panel.kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "area", "colorMode": "value"}
    if panel.kind == "logs":
        return {"showTime": True, "wrapLogMessage": True, "enableLogDetails": True}
    return {"showHeader": True}


def _columns(panel: Panel) -> list[JSON]:
    """One row a label set: tables of several queries come one below the other."""
    letters = (
        [f" #{chr(ord('A') + n)}" for n in range(len(panel.queries))] if len(panel.queries) > 1 else [""]
    )
    names = {f"Value{letter}": query.legend for letter, query in zip(letters, panel.queries, strict=True)}
    return [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {"excludeByName": {"Time": True, "__name__": True}, "renameByName": names},
        },
    ]
