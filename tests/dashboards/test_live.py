"""Every panel has data, once a real Prometheus has scraped a real system for a while."""

import json
import re
from math import isnan
from pathlib import Path

import pytest

from dashboards.live import filled_in, system, work, write
from dashboards.test_definitions import PAGES, panels
from grafana.ask import rare, rate
from prometheus.alerting.catalogue import UnknownMetric, find
from support.processes import Start
from support.prometheus import Prometheus
from support.redis_server import ValkeyServer

LOAD = 60.0
"""Seconds of load, so that all ranges that panels look back have two scrapes in them."""
CHOSEN = (("queue", "orders"), ("job", "shop.pay"), ("instance", ".*"))
EXPECTED = {"PenstockErrorBudgetBurnsFast", "PenstockErrorBudgetBurns"}
"""A tenth of the orders fails, so these may fire; nothing else may be wrong with a system that works."""

ZERO = " or on () vector(0)"
"""What panels put in the place of nothing; here it counts as nothing."""
UNHEARD_OF = {
    # Things that go wrong, whose labels nobody knows before they do.
    "ALERTS",
    "penstock_bus_dropped_unread_total",
    "penstock_bus_errors_total",
    "penstock_bus_set_aside_total",
    "penstock_cache_errors_total",
    "penstock_events_dropped_total",
    "penstock_history_errors_total",
    "penstock_http_client_circuit",  # of a host whose circuit has been open
    "penstock_http_client_retries_total",
    "penstock_jobs_released_total",
    "penstock_loop_crashes_total",
    "penstock_redis_errors_total",
    "penstock_relay_errors_total",
    "penstock_schedule_skipped_total",
    "penstock_settlements_refused_total",
    "penstock_sql_outbox_errors_total",
    "penstock_sql_outbox_set_aside_total",
    "penstock_store_outages_total",
    "penstock_telemetry_label_overflow_total",
    "penstock_telemetry_observers_dropped_total",
    # Things that this system does not do, or not within a minute.
    "penstock_api_refusals_total",
    "penstock_cache_wait_seconds",
    "penstock_history_purged_jobs_total",
}
"""Families that may be without series where all is well; yet some process has to have them."""
REFUSED = 'penstock_http_requests_total{status="429"}'
"""The one selection of a family with series that chooses none of them."""


@pytest.mark.slow
def test_no_panel_is_empty(start: Start, valkey: ValkeyServer, tmp_path: Path) -> None:
    """API, workers under a supervisor, a relay with a history, cache, bus and outgoing requests at work.

    Panels that ask Loki are left out: `manifests.test_grafana_live` has one.
    """
    with system(start, valkey.url, tmp_path) as (server, api, _):
        write(tmp_path, 20)
        work(api, LOAD)
        assert server.targets() == dict.fromkeys(("api", "relay", "worker"), ("up", ""))
        assert empty(server) == []
        assert [alert for alert in firing(server) if alert not in EXPECTED] == []


class Silent(Prometheus):
    """One that has scraped processes with such families, none of which has series."""

    def __init__(self, *families: str) -> None:
        super().__init__("http://nowhere")
        self.families = families

    def query(self, expression: str) -> dict[str, float]:
        return {}

    def declared(self, name: str) -> bool:
        return name in self.families


@pytest.mark.parametrize(
    ("expression", "enough"),
    [
        (rare("penstock_redis_errors_total", "error_type"), True),
        (rare("penstock_redis_errors_total", "error"), False),  # no label of it
        (rare("penstock_relay_errors_total", "sink"), False),  # no process has it
        (rare("penstock_sql_outbox_moved_total", "queue"), False),  # it has series where jobs are moved
        (rate("penstock_redis_errors_total"), False),  # the panel would be empty
    ],
)
def test_a_zero_in_the_place_of_nothing_is_not_data(expression: str, enough: bool) -> None:
    """Unless it is of what goes wrong, which has no series before it does."""
    server = Silent("penstock_redis_errors_total", "penstock_sql_outbox_moved_total")
    assert answered(server, expression) is enough


def test_a_zero_of_what_nobody_shows_is_an_error() -> None:
    """A renamed metric leaves no panel behind that is 0 for ever."""
    with pytest.raises(UnknownMetric, match="penstock_redis_faults_total"):
        answered(Silent(), rare("penstock_redis_faults_total"))


def empty(server: Prometheus) -> list[str]:
    """The queries of panels that yield nothing, a 0 that is put in the place of nothing being nothing."""
    return [
        f"{name}: {panel['title']}: {target['expr']}"
        for name, page in PAGES.items()
        for panel in panels(page)
        for target in panel["targets"]
        if target["datasource"]["uid"] == "prometheus" and not answered(server, target["expr"])
    ]


def answered(server: Prometheus, expression: str) -> bool:
    """Whether series are behind it, or it asks in the right words for what cannot have any yet."""
    bare = expression.removesuffix(ZERO)
    if server.query(filled_in(bare, CHOSEN)):
        return True
    return bare != expression and (REFUSED in bare or unheard_of(server, bare))


def unheard_of(server: Prometheus, expression: str) -> bool:
    """Whether it asks for families that may be without series, by labels that they have, of processes too."""
    names = re.findall(r"penstock_\w+|ALERTS", expression)
    families = [find(name) for name in names if name != "ALERTS"]
    labels = {label for family in families for label in family.label_names}
    by = {label for listed in re.findall(r"by \(([^)]*)\)", expression) for label in listed.split(", ")}
    return (
        {*(family.name for family in families), *({"ALERTS"} & set(names))} <= UNHEARD_OF
        and by <= labels
        and all(server.declared(family.name) for family in families)
    )


def values(server: Prometheus, expression: str) -> list[float]:
    """The numbers that an expression yields; what was divided by nothing is none."""
    found = server.query(filled_in(expression, CHOSEN)).values()
    return [value for value in found if not isnan(value)]


def firing(server: Prometheus) -> list[str]:
    """The alerts that fire."""
    return [json.loads(labels)["alertname"] for labels in server.query('ALERTS{alertstate="firing"}')]
