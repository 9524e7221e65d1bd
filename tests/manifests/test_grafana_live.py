"""What our pages ask is answered by a real Grafana before real data sources, and one way leads to the next.

Prometheus has scraped a system at work for a minute, Jaeger has its traces and Loki its lines. `make
manifests` builds what is needed; without it these are skipped.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from manifests.grafana import Grafana, grafana
from manifests.grafana_page import Frame, asked, chosen, health, query
from manifests.grafana_world import World, lines_in_loki, world
from manifests.shipping import ALLOY, COLLECTOR, WORKERS, Agent
from manifests.test_grafana import SHIPPED

pytestmark = pytest.mark.slow

JOB = SHIPPED["penstock-job"]
VARIABLES = {"queue": ".*", "job": "shop.pay"}
OF_THE_QUEUE = 'queue="orders"'


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    """A system at work."""
    with world(tmp_path_factory.mktemp("world")) as running:
        yield running


@pytest.fixture(scope="module")
def server(busy: World, tmp_path_factory: pytest.TempPathFactory) -> Generator[Grafana]:
    """Grafana before it, without lines."""
    urls = {"prometheus": busy.prometheus.url, "jaeger": busy.jaeger.url}
    with grafana(tmp_path_factory.mktemp("grafana"), **urls) as running:
        yield running


@pytest.mark.parametrize("uid", SHIPPED)
def test_every_panel_is_answered(server: Grafana, uid: str) -> None:
    """All queries of a panel in one request, with what the page's variables offer; each has values."""
    page = server.get(f"dashboards/uid/{uid}")["dashboard"]
    empty = [
        f"{title}: {target['expr']}"
        for title, targets in asked(page, chosen(server, page))
        if all(target["datasource"]["uid"] == "prometheus" for target in targets)
        for target, frames in zip(targets, _in_order(query(server, *targets), targets), strict=True)
        if all(frame.empty for frame in frames)
    ]
    assert empty == []


def test_alerts_are_drawn_over_a_page(server: Grafana) -> None:
    """The annotation's query is one that Prometheus answers, and names the alerts as our rules do."""
    for page in SHIPPED.values():
        [alerts] = page["annotations"]["list"]
        query(server, {**alerts, "refId": "Anno", "range": True})
    groups = server.get("prometheus/prometheus/api/v1/rules")["data"]["groups"]
    rules = {rule["name"] for group in groups for rule in group["rules"] if rule["type"] == "alerting"}
    assert {name for name in rules if not name.startswith("Penstock")} == set()
    assert "PenstockStoreDown" in rules


def test_a_dot_leads_to_its_trace(server: Grafana) -> None:
    """Exemplars come with the field that the data source's link is made of, and Jaeger knows the trace."""
    sources = {one["uid"]: one["jsonData"] for one in server.get("datasources")}
    [link] = sources["prometheus"]["exemplarTraceIdDestinations"]
    targets = [
        target
        for _, targets in asked(JOB, VARIABLES)
        for target in targets
        if target.get("exemplar") and "run_seconds" in target["expr"]
    ]
    [frames] = query(server, *targets).values()
    traces = {trace for frame in frames if _of_exemplars(frame) for trace in frame.columns[link["name"]]}
    assert traces
    for trace in sorted(traces)[:3]:
        assert "process orders" in _operations(server, link["datasourceUid"], trace)


def test_a_span_leads_to_the_metrics_of_its_queue(server: Grafana) -> None:
    """The tag that is taken from a span is one that it has, and the queries made of it have values."""
    jaeger = {one["uid"]: one["jsonData"] for one in server.get("datasources")}["jaeger"]
    leads = jaeger["tracesToMetrics"]
    [tag] = leads["tags"]
    found = server.through("jaeger", "api/traces", service="penstock-worker", operation="process orders")
    spans = [span for trace in found["data"] for span in trace["spans"]]
    values = {one["value"] for span in spans for one in span["tags"] if one["key"] == tag["key"]}
    assert "orders" in values
    for metric in leads["queries"]:
        expression = metric["query"].replace("$__tags", f'{tag["value"]}="orders"')
        source = {"type": "prometheus", "uid": leads["datasourceUid"]}
        [frames] = query(
            server, {"refId": "A", "expr": expression, "range": True, "datasource": source}
        ).values()
        assert frames
        assert not frames[0].empty, metric


@pytest.mark.parametrize("agent", [COLLECTOR, ALLOY], ids=["collector", "alloy"])
def test_lines_and_traces_lead_to_each_other(busy: World, tmp_path: Path, agent: Agent) -> None:
    """The page of a job shows its failures; each leads to its trace, and a trace to its lines."""
    urls = {"prometheus": busy.prometheus.url, "jaeger": busy.jaeger.url}
    (tmp_path / "grafana").mkdir()
    with (
        lines_in_loki(tmp_path, busy.lines, agent) as lines,
        grafana(tmp_path / "grafana", **urls, loki=lines.url) as server,
    ):
        for source, path in (
            ("prometheus", ""),
            ("jaeger", "datasources/proxy/uid/jaeger/api/services"),
            ("loki", "datasources/uid/loki/resources/labels?since=1h"),
        ):
            assert health(server, source, path).status == 200, source
        sources = {one["uid"]: one["jsonData"] for one in server.get("datasources")}
        failed = _rows(server, *_lines_of(JOB, {"queue": ".*", "job": "shop.fail"}))
        assert len(failed) == len([one for one in busy.failures if one["job"] == "shop.fail"]) > 0
        for field in sources["loki"]["derivedFields"]:
            name = field["matcherRegex"]  # plain words
            [row, *_] = _rows(server, f'{WORKERS} | {name}!=""')
            assert _operations(server, field["datasourceUid"], row[name]), field

        trace = failed[0]["trace_id"]
        leads = sources["jaeger"]["tracesToLogsV2"]
        expression = leads["query"].replace("${__trace.traceId}", trace)
        written = [line for line in busy.lines if f'"trace_id":"{trace}"' in line]
        assert len(_rows(server, expression)) == len(written) > 0


def _in_order(found: dict[str, list[Frame]], targets: list[dict[str, Any]]) -> list[list[Frame]]:
    return [found[target["refId"]] for target in targets]


def _of_exemplars(frame: Frame) -> bool:
    return frame.custom.get("resultType") == "exemplar"


def _operations(server: Grafana, source: str, trace: str) -> set[str]:
    """Names of the spans of a trace, as its data source says through Grafana."""
    found = server.through(source, f"api/traces/{trace}")["data"]
    return {span["operationName"] for one in found for span in one["spans"]}


def _lines_of(page: dict[str, Any], values: dict[str, str]) -> list[str]:
    """The queries of a page's panels of lines."""
    targets = [target for _, targets in asked(page, values) for target in targets]
    return [target["expr"] for target in targets if target["datasource"]["uid"] == "loki"]


def _rows(server: Grafana, *expressions: str) -> list[dict[str, str]]:
    """The labels and metadata of each line that Loki finds."""
    by = {"datasource": {"type": "loki", "uid": "loki"}, "maxLines": 1_000, "queryType": "range"}
    targets = [{"refId": f"A{n}", "expr": expression, **by} for n, expression in enumerate(expressions)]
    found = query(server, *targets).values()
    return [row for frames in found for frame in frames for row in frame.columns.get("labels", ())]
