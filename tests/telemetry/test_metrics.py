"""The metrics of a process: their names are an interface to dashboards, alerts and autoscalers."""

import re

import pytest

from penstock.telemetry.metrics.children import Counter, Gauge, Histogram
from penstock.telemetry.metrics.families import LAGS, Metrics, Tenants

EXPECTED: dict[str, tuple[type, tuple[str, ...]]] = {
    "penstock_jobs_enqueued_total": (Counter, ("queue", "job", "module", "duplicate")),
    "penstock_jobs_started_total": (Counter, ("queue", "job", "module")),
    "penstock_jobs_finished_total": (Counter, ("queue", "job", "module", "status")),
    "penstock_job_wait_seconds": (Histogram, ("queue", "job", "module")),
    "penstock_job_run_seconds": (Histogram, ("queue", "job", "module")),
    "penstock_queue_jobs": (Gauge, ("queue", "state")),
    "penstock_queue_oldest_job_age_seconds": (Gauge, ("queue", "state")),
    "penstock_worker_slots": (Gauge, ("state",)),
    "penstock_workers": (Gauge, ("queue",)),
    "penstock_lease_lost_total": (Counter, ("queue",)),
    "penstock_store_outages_total": (Counter, ("loop",)),
    "penstock_telemetry_dropped_total": (Counter, ("signal", "reason")),
    "penstock_telemetry_spans_exported_total": (Counter, ()),
    "penstock_telemetry_export_lag_seconds": (Gauge, ()),
    "penstock_telemetry_queue": (Gauge, ("signal",)),
    "penstock_telemetry_label_overflow_total": (Counter, ("metric",)),
    "penstock_loop_lag_seconds": (Histogram, ()),
    "penstock_build_info": (Gauge, ("version", "python")),
}
"""What others build on, with its labels in order."""


@pytest.mark.parametrize("name", EXPECTED)
def test_what_others_build_on_keeps_its_name_and_labels(name: str) -> None:
    """A dashboard finds what it found in the last release."""
    [family] = [family for family in Metrics().registry.families() if family.name == name]

    assert (type(family), family.label_names) == EXPECTED[name]


def test_names_follow_the_conventions() -> None:
    """One prefix, lower case, `_total` for counters alone, seconds for every duration, a sentence of help."""
    for family in Metrics().registry.families():
        assert re.fullmatch(r"penstock_[a-z_]+", family.name)
        assert isinstance(family, Counter) == family.name.endswith("_total")
        assert not isinstance(family, Histogram) or family.name.endswith("_seconds")
        assert re.fullmatch(r"[A-Z].*\.", family.doc)


def test_the_tenant_is_one_more_label_of_the_counters_of_jobs() -> None:
    """Of those alone, and only if asked for; histograms would be sixteen series for each tenant."""
    plain = {family.name: family.label_names for family in Metrics().registry.families()}
    tenants = {family.name: family.label_names for family in Metrics(tenant_label=True).registry.families()}

    more = {name for name, labels in tenants.items() if set(labels) - set(plain[name])}
    assert more == {f"penstock_jobs_{what}_total" for what in ("enqueued", "started", "finished")}
    assert {"tenant_id"} == {label for name in more for label in set(tenants[name]) - set(plain[name])}


def test_a_tenant_keeps_its_series() -> None:
    """Once it has one, others that come later do not take it."""
    told: list[str] = []
    tenants, jobs = Tenants(told.append), Counter(Metrics().registry, "jobs_total", "Jobs.")
    first = [tenants.label(f"t{number}", jobs) for number in range(100)]

    assert first == [f"t{number}" for number in range(100)]
    assert [tenants.label("t100", jobs), tenants.label("t0", jobs)] == ["__other__", "t0"]
    assert tenants.label(None, jobs) == ""
    assert told == ["jobs_total"]


def test_lags_are_told_from_a_millisecond_on() -> None:
    """Which is as long as anything may hold the loop."""
    assert min(LAGS) == 0.001
    assert sorted(LAGS) == list(LAGS)
