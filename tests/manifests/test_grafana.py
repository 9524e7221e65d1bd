"""A real Grafana takes our provisioning as it stands. `make manifests` builds it; else these are skipped.

Nobody answers at its data sources here; `test_grafana_live` has real ones.
"""

import json
from collections.abc import Generator
from typing import Any

import pytest

from manifests.grafana import PAGES, Grafana, grafana

pytestmark = pytest.mark.slow

SHIPPED: dict[str, dict[str, Any]] = {
    page["uid"]: page for page in (json.loads(path.read_text()) for path in PAGES.glob("*.json"))
}
SOURCES = {"prometheus", "jaeger", "loki"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Grafana]:
    """It alone."""
    with grafana(tmp_path_factory.mktemp("grafana")) as running:
        yield running


def test_it_has_each_dashboard_as_we_ship_it(server: Grafana) -> None:
    """What it stored is the file, but for its own number and its count of versions."""
    found = {one["uid"]: one for one in server.get("search", type="dash-db")}
    assert set(found) == set(SHIPPED)
    assert {one["folderTitle"] for one in found.values()} == {"Penstock"}
    for uid, page in SHIPPED.items():
        stored = server.get(f"dashboards/uid/{uid}")
        assert _bare(stored["dashboard"]) == _bare(page), uid
        assert stored["meta"]["provisioned"]


def test_it_finds_nothing_wrong_with_our_files(server: Grafana) -> None:
    """Provisioning logs neither a warning nor an error."""
    said = [line for line in server.lines() if line["logger"].startswith("provisioning")]
    assert {line["uid"] for line in said if line["logger"] == "provisioning.datasources"} == SOURCES
    assert [line for line in said if line.get("level", line.get("lvl")) not in ("info", "debug")] == []


def test_its_home_is_our_overview(server: Grafana) -> None:
    """Whoever comes sees it first."""
    assert server.get("dashboards/home")["dashboard"]["uid"] == "penstock-overview"


def test_what_leads_from_one_source_to_another_leads_somewhere(server: Grafana) -> None:
    """Each data source is there, and so is each that a link of one names."""
    sources = {one["uid"]: one for one in server.get("datasources")}
    linked = set(_linked([one["jsonData"] for one in sources.values()]))
    assert set(sources) == SOURCES
    assert linked == SOURCES
    assert [uid for uid, one in sources.items() if one["isDefault"]] == ["prometheus"]
    assert {one["access"] for one in sources.values()} == {"proxy"}


def test_links_keep_their_placeholders(server: Grafana) -> None:
    """Grafana fills in `$name` from its environment as it reads our file; these are for the browser."""
    sources = {one["uid"]: one["jsonData"] for one in server.get("datasources")}
    fields = sources["loki"]["derivedFields"]
    assert {field["url"] for field in fields} == {"${__value.raw}"}
    assert '"${__trace.traceId}"' in sources["jaeger"]["tracesToLogsV2"]["query"]
    assert all("{$__tags" in query["query"] for query in sources["jaeger"]["tracesToMetrics"]["queries"])


def _bare(page: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in page.items() if name not in ("id", "version")}


def _linked(part: Any) -> Generator[str]:
    """Every `datasourceUid` in it."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "datasourceUid":
                yield value
            yield from _linked(value)
    elif isinstance(part, list):
        for value in part:
            yield from _linked(value)
