"""`python -m grafana.draw http://localhost:9090 FOLDER queue=media job=images.paint`: dashboards as pictures.

Made by this script from the dashboards' own definitions and what a Prometheus says, not by Grafana: for the
docs, where Grafana cannot be had. The last ten minutes, or what there is of them.
"""

import json
import re
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grafana import svg
from grafana.pages import dashboards
from grafana.panel import JSON

BACK = 600
"""Seconds."""


class Source:
    """A Prometheus, and what is chosen for the variables of dashboards."""

    def __init__(self, url: str, chosen: Mapping[str, str]) -> None:
        self._url = url
        self._chosen = {"__rate_interval": "20s", "instance": ".*", **chosen}

    def now(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Each series' labels and value."""
        found = self._ask("query", query=expression)
        return [(one["metric"], float(one["value"][1])) for one in found]

    def course(self, expression: str, legend: str) -> svg.Lines:
        """Each series' points by what it is called."""
        now = time.time()
        found = self._ask("query_range", query=expression, start=now - BACK, end=now, step=BACK / 120)
        return {
            _called(legend, one["metric"]): [(float(t), float(v)) for t, v in one["values"]] for one in found
        }

    def _ask(self, what: str, *, query: str, **parameters: float) -> list[Any]:
        for name, value in self._chosen.items():
            query = query.replace(f"${name}", value)
        return self.fetch(what, {"query": query, **parameters})

    def fetch(self, what: str, parameters: Mapping[str, Any]) -> list[Any]:
        """The series that Prometheus answers with."""
        url = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as response:
            found: list[Any] = json.load(response)["data"]["result"]
        return found


def draw(page: JSON, source: Source) -> str:
    """One dashboard. Panels about lines are left out: they are Loki's."""
    bodies = [_panel(panel, source) for panel in page["panels"] if panel["type"] != "logs"]
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in page["panels"])
    return svg.page(page["title"], bodies, bottom * svg.LINE)


def _panel(panel: JSON, source: Source) -> str:
    if panel["type"] == "row":
        return svg.heading(panel)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    targets = panel["targets"]
    if panel["type"] == "stat":
        found = source.now(targets[0]["expr"])
        return svg.value(panel, found[0][1] if found else None, unit)
    if panel["type"] == "table":
        return _table(panel, source)
    lines: dict[str, svg.Points] = {}
    for target in targets:
        lines |= source.course(target["expr"], target.get("legendFormat", ""))
    return svg.graph(panel, lines, unit)


def _table(panel: JSON, source: Source) -> str:
    names = list(panel["transformations"][1]["options"]["renameByName"].values())
    cells: dict[str, dict[str, str]] = {}
    for target, name in zip(panel["targets"], names, strict=True):
        for labels, value in source.now(target["expr"]):
            row = " ".join(text for label, text in sorted(labels.items()) if label != "__name__")
            cells.setdefault(row, {})[name] = svg.human(value, "short")
    table = [[row, *(values.get(name, "–") for name in names)] for row, values in sorted(cells.items())]
    return svg.rows(panel, ["", *names], table)


def _called(legend: str, labels: Mapping[str, str]) -> str:
    filled = re.sub(r"\{\{(\w+)\}\}", lambda name: labels.get(name[1], ""), legend).strip()
    return filled or "all"


def main() -> None:
    """Draw all of them into a folder."""
    url, folder, *chosen = sys.argv[1:]
    source = Source(url, dict(choice.split("=", 1) for choice in chosen))
    for page in dashboards():
        (Path(folder) / f"dashboard-{page.name}.svg").write_text(draw(page.as_json(), source))


if __name__ == "__main__":
    main()
