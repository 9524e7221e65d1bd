"""Every panel has data, once a real Prometheus has scraped a real system for a while."""

import json
from math import isnan
from pathlib import Path

import pytest

from dashboards.live import filled_in, system, work
from dashboards.test_definitions import PAGES, panels
from support.processes import Start
from support.prometheus import Prometheus
from support.redis_server import ValkeyServer

LOAD = 60.0
"""Seconds of load, so that all ranges that panels look back have two scrapes in them."""
CHOSEN = (("queue", "orders"), ("job", "shop.pay"), ("instance", ".*"))
EXPECTED = {"PenstockErrorBudgetBurnsFast", "PenstockErrorBudgetBurns"}
"""A tenth of the orders fails, so these may fire; nothing else may be wrong with a system that works."""


@pytest.mark.slow
def test_no_panel_is_empty(start: Start, valkey: ValkeyServer, tmp_path: Path) -> None:
    """API, workers under a supervisor, a relay with a history, cache, bus and outgoing requests at work.

    Panels that ask Loki are left out: it is not to be had where the tests run.
    """
    with system(start, valkey.url, tmp_path) as (server, api):
        work(api, LOAD)
        assert server.targets() == dict.fromkeys(("api", "relay", "worker"), ("up", ""))
        assert empty(server) == []
        assert [alert for alert in firing(server) if alert not in EXPECTED] == []


def empty(server: Prometheus) -> list[str]:
    """The queries of panels that yield nothing."""
    return [
        f"{name}: {panel['title']}: {target['expr']}"
        for name, page in PAGES.items()
        for panel in panels(page)
        for target in panel["targets"]
        if target["datasource"]["uid"] == "prometheus" and not server.query(filled_in(target["expr"], CHOSEN))
    ]


def values(server: Prometheus, expression: str) -> list[float]:
    """The numbers that an expression yields; what was divided by nothing is none."""
    found = server.query(filled_in(expression, CHOSEN)).values()
    return [value for value in found if not isnan(value)]


def firing(server: Prometheus) -> list[str]:
    """The alerts that fire."""
    return [json.loads(labels)["alertname"] for labels in server.query('ALERTS{alertstate="firing"}')]
