"""Dashboards: rows of panels, variables, and links to each other."""

from collections.abc import Iterator

import msgspec

from grafana.panel import JSON, PROMETHEUS, Panel, as_json
from prometheus.alerting.catalogue import check_names

WIDTH = 24
"""Columns that Grafana's grid has."""


class Variable(msgspec.Struct, frozen=True):
    """Something to choose on top of a dashboard: the values of a label, of the series that a selector has."""

    name: str
    selector: str
    everything: bool = False
    """Several may be chosen, and all are at first."""

    def as_json(self) -> JSON:
        """As Grafana reads it. Raises `UnknownMetric`."""
        query = f"label_values({check_names(self.selector)}, {self.name})"
        made: JSON = {
            "name": self.name,
            "label": self.name,
            "type": "query",
            "datasource": PROMETHEUS,
            "query": {"query": query, "refId": "variable"},
            "refresh": 2,  # when the time range changes: queues come and go
            "sort": 1,
        }
        if self.everything:
            made |= {
                "multi": True,
                "includeAll": True,
                "allValue": ".*",
                "current": {"text": "All", "value": "$__all"},
            }
        return made


class Row(msgspec.Struct, frozen=True):
    """Panels under one heading, from left to right, in as many lines as they need."""

    title: str
    panels: tuple[Panel, ...]


class Dashboard(msgspec.Struct, frozen=True):
    """One page."""

    name: str
    """Of its file, and of its address behind `penstock-`."""
    title: str
    about: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()

    def as_json(self) -> JSON:
        """As Grafana reads it. Raises `UnknownMetric`."""
        return {
            "uid": f"penstock-{self.name}",
            "title": f"Penstock: {self.title}",
            "description": self.about,
            "tags": ["penstock"],
            "schemaVersion": 39,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,  # one crosshair for all panels
            "refresh": "30s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "links": [_OTHERS],
            "templating": {"list": [variable.as_json() for variable in self.variables]},
            "annotations": {"list": [_FIRING]},
            "panels": list(_placed(self.rows)),
        }


_OTHERS: JSON = {
    "type": "dashboards",
    "tags": ["penstock"],
    "title": "Penstock",
    "asDropdown": True,
    "includeVars": True,
    "keepTime": True,
}
_FIRING: JSON = {
    "name": "Alerts",
    "datasource": PROMETHEUS,
    "enable": True,
    "iconColor": "red",
    "expr": 'ALERTS{alertname=~"Penstock.*", alertstate="firing"}',
    "titleFormat": "{{alertname}}",
    "textFormat": "{{queue}} {{instance}}",
    "step": "60s",
}


def _placed(rows: tuple[Row, ...]) -> Iterator[JSON]:
    number, y = 1, 0
    for row in rows:
        heading = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": heading,
            "panels": [],
        }
        number, y, x, tallest = number + 1, y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                y, x, tallest = y + tallest, 0, 0
            yield as_json(panel, number, x, y)
            number, x, tallest = number + 1, x + panel.width, max(tallest, panel.height)
        y += tallest
