"""A real Prometheus scrapes API and workers while they work."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import support.debian_tools
import support.prometheus
from support.measured import HOSTILE
from support.otlp_receiver import otlp_receiver
from support.processes import Start
from support.prometheus import Prometheus, check_metrics, prometheus
from support.redis_server import ValkeyServer
from telemetry.strict_exposition import read

APP = "support.measured:measured"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def call(url: str, body: dict[str, Any]) -> Any:
    """POST a JSON body."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def scrape(url: str, accept: str = "text/plain", method: str = "GET") -> tuple[str, bytes]:
    """The content type and the body of one process's answer."""
    request = urllib.request.Request(f"{url}/metrics", headers={"Accept": accept}, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.headers["Content-Type"], response.read()


def submit_under_scrapes(server: Prometheus, api: str) -> list[str]:
    """Submit jobs until each target has been scraped five times meanwhile; the trace ids of all of them."""
    traces: list[str] = []

    def submit_more() -> bool:
        for _ in range(20):
            body = {"job": "measured.paint", "args": {"count": 2}, "tenant": 'ac"me'}
            traces.append(call(f"{api}/v1/jobs", body)["trace_id"])
        return (server.value("min(count_over_time(up[5m]))") or 0) >= 5

    server.wait_until(submit_more, lambda: "there were not five scrapes")
    return traces


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["1", "2"])
def test_prometheus_reads_what_we_say(
    start: Start, valkey: ValkeyServer, tmp_path: Path, processes: str
) -> None:
    """Both targets are up, counters sum up, label values come back whole, exemplars lead to the traces of the
    jobs that were submitted, and promtool has nothing to object; with several worker processes, too."""
    with otlp_receiver() as collector:
        options = ("--redis", valkey.url, "--otlp-endpoint", collector.endpoint, "--metrics-tenant-label")
        api = start("api", APP, "--bind", "127.0.0.1:0", *options)
        worker = start("worker", APP, "--metrics-bind", "127.0.0.1:0", "--processes", processes, *options)
        urls = {"api": api.wait_for_line(r"Running on (\S+)")[1]}
        urls["worker"] = worker.wait_for_line(r"Running on (\S+)")[1]
        with prometheus(tmp_path, urls) as server:
            traces = submit_under_scrapes(server, urls["api"])
            call(f"{urls['api']}/v1/jobs", {"job": "measured.refill", "args": {"litres": 2.5}})
            jobs = len(traces)
            server.wait_for('sum(penstock_jobs_finished_total{status="succeeded"})', jobs + 1)
            check_counts(server, jobs)
            check_exemplars(server, set(traces))
            assert server.targets() == {"api": ("up", ""), "worker": ("up", "")}
        check_answers(urls)
        assert [worker.terminate(), api.terminate()] == [0, 0]


@pytest.mark.parametrize(("ci", "ending"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_prometheus_one_is_told_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ci: str, ending: type[BaseException]
) -> None:
    """The test above is skipped with the reason; in CI, where nobody reads of what was skipped, it fails."""
    script = tmp_path / "debian-tools"
    script.write_text("#!/bin/sh\necho looked >&2\necho 'no network here' >&2\nexit 1\n")
    script.chmod(0o700)
    monkeypatch.setattr(support.debian_tools, "TOOLS", script)
    monkeypatch.setenv("CI", ci)
    # Both are caught: a skip that goes through would make this test one that is skipped.
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception), match="no network here") as raised:
        support.prometheus.tools()
    assert raised.type is ending


def check_counts(server: Prometheus, jobs: int) -> None:
    """What API, worker and handlers counted, by Prometheus' own arithmetic."""
    paint = 'exported_job="measured.paint",module="measured",queue="default"'
    for name, wanted in {
        f'sum(penstock_jobs_enqueued_total{{job="api",{paint},tenant_id="ac\\"me"}})': jobs,
        f'sum(penstock_jobs_started_total{{job="worker",{paint},tenant_id="ac\\"me"}})': jobs,
        f"sum(penstock_job_wait_seconds_count{{{paint}}})": jobs,
        f'sum(penstock_job_run_seconds_bucket{{{paint},le="+Inf"}})': jobs,
        'sum(penstock_module_paintings_total{module="measured"})': 2 * jobs,
        'penstock_module_layer_seconds_bucket{le="0.01"}': 0,
        'penstock_module_layer_seconds_bucket{le="1.0"}': jobs,
        'penstock_module_paint_left{colour="blue"}': 2.5,
        'sum(penstock_http_requests_total{route="/v1/jobs"})': jobs + 1,
        "sum(penstock_telemetry_label_overflow_total) or vector(0)": 0,
        "count(penstock_loop_lag_seconds_count > 0)": 2,
        "count(penstock_build_info == 1)": 2,
    }.items():
        server.wait_for(name, wanted)
    [labels] = server.query("penstock_module_paintings_total")
    assert json.loads(labels)["style"] == HOSTILE


def check_exemplars(server: Prometheus, traces: set[str]) -> None:
    """Of waiting, of running and of what a handler observed in a thread."""
    for name in ("penstock_job_wait_seconds", "penstock_job_run_seconds", "penstock_module_layer_seconds"):
        selector = f'{name}_bucket{{module="measured"}}'
        server.wait_until(lambda: bool(server.exemplars(selector)), lambda: f"no exemplars of {selector}")  # noqa: B023 - called at once
        found = {exemplar["labels"]["trace_id"] for exemplar in server.exemplars(selector)}
        assert found & traces, name


def check_answers(urls: dict[str, str]) -> None:
    """Both formats by both readers, and only the head for those who ask for that."""
    for name, url in urls.items():
        kind, body = scrape(url)
        assert kind == "text/plain; version=0.0.4; charset=utf-8"
        read(body, openmetrics=False)
        assert check_metrics(body) == (0, ""), name
        kind, body = scrape(url, OPENMETRICS)
        assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        read(body, openmetrics=True)
        assert scrape(url, method="HEAD") == ("text/plain; version=0.0.4; charset=utf-8", b"")
