"""The pictures in the docs: drawn from the dashboards' own definitions."""

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dashboards.test_definitions import PAGES
from grafana import draw, svg


class Steady(draw.Source):
    """A Prometheus of which every series has been 2.5 for ten minutes, one of them under a hostile name."""

    def __init__(self) -> None:
        super().__init__("http://nowhere", {"queue": "media", "job": "images.paint"})
        self.asked: list[str] = []

    def fetch(self, what: str, parameters: Mapping[str, Any]) -> list[Any]:
        self.asked.append(parameters["query"])
        metric = {"queue": '<media> & "more"', "status": "succeeded"}
        if what == "query":
            return [{"metric": metric, "value": [1000, "2.5"]}]
        return [{"metric": metric, "values": [[1000, "2.5"], [1060, "NaN"], [1120, "2.5"]]}]


@pytest.mark.parametrize("name", PAGES)
def test_every_panel_is_drawn(name: str) -> None:
    """Well-formed, with the title of each panel and row; those that ask Loki are left out."""
    source = Steady()
    picture = ET.fromstring(draw.draw(PAGES[name], source))
    said = {element.text for element in picture.iter()}
    titles = {panel["title"] for panel in PAGES[name]["panels"] if panel["type"] != "logs"}
    assert titles <= said
    assert not any("$" in expression for expression in source.asked)


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"),
        (75, "s", "75 s"),
        (0.25, "percentunit", "25%"),
        (60.6, "percentunit", "6060%"),
        (1234, "ops", "1.23k/s"),
        (0, "short", "0"),
    ],
)
def test_numbers_are_written_as_one_reads_them(number: float, unit: str, text: str) -> None:
    """With their unit, and three digits."""
    assert svg.human(number, unit) == text
