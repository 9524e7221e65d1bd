"""The dashboards' files: fresh, complete, and readable by those who read them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from alerts.promql import check_expressions
from dashboards.live import filled_in
from grafana.ask import rate
from grafana.files import FOLDER, files
from grafana.pages import dashboards
from grafana.panel import as_json, number
from prometheus.alerting.catalogue import UnknownMetric, catalogue

PAGES = {path.stem: json.loads(text) for path, text in files().items()}
GRAFANA = FOLDER.parent


def panels(page: dict[str, Any]) -> list[dict[str, Any]]:
    """Its panels, without headings."""
    return [panel for panel in page["panels"] if panel["type"] != "row"]


def asked(page: dict[str, Any], source: str = "prometheus") -> list[str]:
    """The expressions of its panels."""
    return [
        target["expr"]
        for panel in panels(page)
        for target in panel["targets"]
        if target["datasource"]["uid"] == source
    ]


def test_the_files_are_fresh() -> None:
    """Run `python -m grafana` after changing a dashboard, or a metric."""
    assert {path.name: path.read_text() for path in FOLDER.glob("*.json")} == {
        path.name: text for path, text in files().items()
    }


@pytest.mark.parametrize("name", PAGES)
def test_every_expression_can_be_parsed(name: str, tmp_path: Path) -> None:
    """By Prometheus' own tool, with what Grafana puts into it."""
    check_expressions([filled_in(expression) for expression in asked(PAGES[name])], tmp_path)


def test_every_metric_is_on_a_dashboard() -> None:
    """A new one gets a panel by itself, at the end of `infrastructure`, until it is given a place."""
    text = "\n".join(expression for page in PAGES.values() for expression in asked(page))
    assert [name for name in catalogue() if name not in text] == []


def test_a_panel_about_what_nobody_shows_cannot_be_made() -> None:
    """So a renamed metric leaves no empty panel behind."""
    with pytest.raises(UnknownMetric, match="penstock_jobs_begun_total"):
        as_json(number("Begun", rate("penstock_jobs_begun_total")), 1, 0, 0)


@pytest.mark.parametrize("name", PAGES)
def test_every_line_has_a_name(name: str) -> None:
    """Or Grafana would show the expression in its place."""
    graphs = [panel for panel in panels(PAGES[name]) if panel["type"] == "timeseries"]
    assert [
        panel["title"] for panel in graphs for one in panel["targets"] if not one.get("legendFormat")
    ] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_zero_stands_for_nothing_and_never_beside_something(name: str) -> None:
    """A bare `or vector(0)` adds a line without a name to series that have labels."""
    assert [expression for expression in asked(PAGES[name]) if "or vector(0)" in expression] == []


@pytest.mark.parametrize("name", PAGES)
def test_panels_lie_beside_each_other_and_not_on_top(name: str) -> None:
    """Grafana would push them aside, each time differently."""
    taken: set[tuple[int, int]] = set()
    for panel in PAGES[name]["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    ids = [panel["id"] for panel in PAGES[name]["panels"]]
    assert len(set(ids)) == len(ids)


def test_what_expressions_leave_open_can_be_chosen() -> None:
    """Every `$name` is a variable of the page."""
    for name, page in PAGES.items():
        offered = {variable["name"] for variable in page["templating"]["list"]}
        used = set(re.findall(r"\$(\w+)", "\n".join(asked(page) + asked(page, "loki")))) - {"__rate_interval"}
        assert used == offered, name


def test_the_config_maps_hold_all_of_them_and_not_too_much() -> None:
    """`kubectl apply` keeps a copy in an annotation, which may have 256 KiB."""
    listed = re.findall(r"dashboards/(\S+\.json)", (GRAFANA / "kustomization.yaml").read_text())
    assert sorted(listed) == sorted(path.name for path in files())
    assert sum(len(text.encode()) for text in files().values()) < 220_000


def test_data_sources_are_those_that_panels_and_links_name() -> None:
    """Provisioned under the names by which exemplars, lines and traces lead to each other."""
    text = (GRAFANA / "provisioning" / "datasources" / "datasources.yaml").read_text()
    provisioned = set(re.findall(r"^    uid: (\w+)$", text, re.MULTILINE))
    linked = set(re.findall(r"datasourceUid: (\w+)", text))
    used = {
        target["datasource"]["uid"]
        for page in PAGES.values()
        for panel in panels(page)
        for target in panel["targets"]
    }
    assert provisioned == {"prometheus", "jaeger", "loki"} == linked | {"prometheus"}
    assert used <= provisioned


def test_every_page_has_an_address_of_its_own() -> None:
    """Links and bookmarks go by it."""
    assert [page["uid"] for page in PAGES.values()] == [f"penstock-{page.name}" for page in dashboards()]
    assert len(set(PAGES)) == len(PAGES) == 6
