"""Families of metrics: labels are declared, children are bound, cardinality is capped."""

import pytest
from aioprometheus import collectors
from aioprometheus.collectors import Registry
from aioprometheus.renderer import render

from penstock.telemetry.children import MAX_SERIES, OVERFLOW, Counter, Gauge, Histogram
from penstock.telemetry.metrics import Metrics


@pytest.fixture
def registry() -> Registry:
    """A registry of its own."""
    return Registry()


def test_the_same_labels_are_the_same_child(registry: Registry) -> None:
    """A child is made once; text and number of the same spelling are one label value."""
    requests = Counter(registry, "requests_total", "Requests.", ("status",))

    assert requests.labels("200") is requests.labels("200")
    assert requests.labels(200) is requests.labels("200")
    assert requests.labels("404") is not requests.labels("200")


def test_values_that_utf_8_cannot_carry_are_one_series(registry: Registry) -> None:
    """Two label values that would be written alike are one child, or Prometheus would see it twice."""
    jobs = Counter(registry, "jobs_total", "Jobs.", ("job",))

    assert jobs.labels("\ud800") is jobs.labels("?")


def test_a_metric_without_labels_is_there_from_the_start(registry: Registry) -> None:
    """So that a rate over it is 0 and not absent."""
    assert [child.value for child in Counter(registry, "jobs_total", "Jobs.").children()] == [0]


def test_the_number_of_series_is_capped(registry: Registry) -> None:
    """Label sets past the cap share one child, and each sample there is reported."""
    overflowed: list[str] = []
    jobs = Counter(registry, "jobs_total", "Jobs.", ("queue", "job"), overflowed.append)
    for number in range(MAX_SERIES + 5):
        jobs.labels("media", f"job{number}").inc()
    jobs.labels("media", "job0").inc()

    assert len(jobs.children()) == MAX_SERIES + 1
    assert jobs.labels(OVERFLOW, OVERFLOW).value == 5
    assert jobs.labels("media", "job0").value == 2
    assert overflowed == ["jobs_total"] * 5


def test_penstock_counts_its_own_overflow() -> None:
    """The counter of refused label sets names the metric."""
    metrics = Metrics()
    for number in range(MAX_SERIES + 3):
        metrics.worker.lease_lost.labels(str(number)).inc()

    overflow = metrics.registry.get("penstock_telemetry_label_overflow_total")
    assert overflow.get({"metric": "penstock_lease_lost_total"}) == 3


def test_a_counter_only_grows(registry: Registry) -> None:
    """As aioprometheus' own does."""
    with pytest.raises(ValueError, match="-1"):
        Counter(registry, "jobs_total", "Jobs.").labels().inc(-1)


@pytest.mark.parametrize("label", ["1st", "with space", "__reserved", "le", ""])
def test_a_label_name_is_checked_when_it_is_declared(registry: Registry, label: str) -> None:
    """A typo shows at start, not at the first scrape."""
    with pytest.raises(ValueError, match="cannot name a label"):
        Gauge(registry, "depth", "Depth.", (label,))


def test_a_counter_is_named_as_openmetrics_wants() -> None:
    """Its samples end in `_total`."""
    with pytest.raises(ValueError, match="_total"):
        Counter(Registry(), "jobs", "Jobs.")


def test_a_wrong_number_of_label_values_is_an_error(registry: Registry) -> None:
    """Labels are declared; a call that forgets one is a mistake."""
    with pytest.raises(ValueError, match="expected values"):
        Counter(registry, "jobs_total", "Jobs.", ("queue", "job")).labels("media")


def test_a_histogram_counts_inclusive_upper_bounds(registry: Registry) -> None:
    """A value equal to a bound belongs below it; the last exemplar of each bucket is kept."""
    run = Histogram(registry, "run_seconds", "Run.", ("job",), buckets=(0.1, 1.0)).labels("noop")
    for value, trace in ((0.1, "a"), (0.05, "b"), (0.2, None), (5.0, "c")):
        run.observe(value, trace)

    assert run.counts == [2, 1, 1]
    assert {0.1: 2, 1.0: 3, float("inf"): 4} == run.buckets
    assert (run.sum, run.observations) == (5.35, 4)
    assert [exemplar and exemplar[0] for exemplar in run.exemplars] == ["b", None, "c"]


def test_aioprometheus_own_interface_reaches_the_same_children(registry: Registry) -> None:
    """Module authors who know aioprometheus find what they know, and its renderer agrees with ours."""
    jobs = Counter(registry, "jobs_total", "Jobs.", ("queue",))
    depth = Gauge(registry, "depth", "Depth.", ("queue",))
    run = Histogram(registry, "run_seconds", "Run.", ("queue",), buckets=(1.0,))
    jobs.inc({"queue": "media"})
    jobs.labels("media").inc(2)
    depth.set({"queue": "media"}, 7)
    run.observe({"queue": "media"}, 0.5)

    body = render(registry, ["text/plain"])[0].decode()
    assert 'jobs_total{queue="media"} 3' in body
    assert 'depth{queue="media"} 7' in body
    assert 'run_seconds_bucket{le="1.0",queue="media"} 1' in body


def test_bare_collectors_are_refused() -> None:
    """What our renderer cannot escape does not get into our registry."""
    with pytest.raises(TypeError, match="plain_total"):
        collectors.Counter("plain_total", "Plain.", registry=Metrics().registry)
