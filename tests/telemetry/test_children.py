"""Families of metrics: labels are declared, children are bound, cardinality is capped."""

import threading
from collections.abc import Callable
from typing import Self

import pytest
from aioprometheus import collectors
from aioprometheus.collectors import Registry
from aioprometheus.renderer import render

from penstock.telemetry.metrics.children import MAX_SERIES, OVERFLOW, Counter, Gauge, Histogram
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.series import (
    CounterChild,
    GaugeChild,
    HistogramChild,
    LockedCounterChild,
    LockedGaugeChild,
    LockedHistogramChild,
    Series,
)


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


def test_a_family_may_have_room_for_more(registry: Registry) -> None:
    """The cap is the family's own where it says so, and the shared child is known as such."""
    jobs = Counter(registry, "jobs_total", "Jobs.", ("tenant_id",), most=2)
    children = [jobs.labels(tenant) for tenant in ("a", "b", "c", "d")]

    assert [jobs.shared(child) for child in children] == [False, False, True, True]
    assert not Counter(registry, "all_total", "All.").shared(CounterChild(""))


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


class Interrupted(float):
    """A number during whose addition another thread adds one to the same series, or waits until it may."""

    def __new__(cls, value: float, add_one: Callable[[], None]) -> Self:
        return super().__new__(cls, value)

    def __init__(self, value: float, add_one: Callable[[], None]) -> None:
        self.other = threading.Thread(target=add_one)

    def __radd__(self, before: float) -> float:
        self.other.start()
        self.other.join(0.1)  # where there is a lock the other one waits for it, and we go on without it
        return before + float(self)


def counted_by_two(child: Series) -> float:
    """What a series says after one thread added 10 to it and another 1 in the midst of that."""
    add = child.observe if isinstance(child, HistogramChild) else child.inc
    ten = Interrupted(10.0, lambda: add(1.0))
    add(ten)
    ten.other.join(10)
    return child.sum if isinstance(child, HistogramChild) else child.value


def test_threads_lose_no_count() -> None:
    """An addition that another thread interrupts is made good where the series is locked, and only there."""
    locked: list[Series] = [LockedCounterChild(""), LockedGaugeChild(""), LockedHistogramChild("", (5.0,))]
    plain: list[Series] = [CounterChild(""), GaugeChild(""), HistogramChild("", (5.0,))]

    assert [counted_by_two(child) for child in locked] == [11, 11, 11]
    assert [counted_by_two(child) for child in plain] == [10, 10, 10]


def test_a_gauge_is_not_set_in_the_midst_of_an_addition() -> None:
    """What was set last stands, or what was added to it; never what was there before."""
    gauge = LockedGaugeChild("")
    amount = Interrupted(10.0, lambda: gauge.set(1.0))
    gauge.inc(amount)
    amount.other.join(10)

    assert gauge.value == 1


def test_a_finalizer_may_count_too() -> None:
    """The garbage collector runs code of others in the midst of an addition, in the same thread."""
    counter = LockedCounterChild("")

    class Finalized(float):
        def __radd__(self, before: float) -> float:
            counter.inc()  # as a `__del__` would
            return before + float(self)

    adding = threading.Thread(target=counter.inc, args=(Finalized(10.0),), daemon=True)
    adding.start()
    adding.join(10)
    assert not adding.is_alive()


def test_series_can_be_listed_while_a_thread_adds_some(registry: Registry) -> None:
    """The list is made in one step, or a long one would meet a dictionary that changes its size."""
    jobs = Counter(registry, "jobs_total", "Jobs.", ("job",), locked=True, most=30_000)
    adding = threading.Thread(target=lambda: [jobs.labels(str(number)) for number in range(30_000)])
    adding.start()
    while adding.is_alive():
        jobs.children()
    adding.join()

    assert len(jobs.children()) == 30_000


def test_a_series_is_made_once_whoever_comes_first(registry: Registry) -> None:
    """Of threads that ask for new labels at once all get the same child."""
    jobs = Counter(registry, "jobs_total", "Jobs.", ("job",), locked=True)
    barrier = threading.Barrier(4)
    make = jobs._new_child

    def make_together(labels: str) -> CounterChild:
        barrier.wait(10)  # all four have seen that there is none
        return make(labels)

    jobs._new_child = make_together
    got: list[CounterChild] = []
    threads = [threading.Thread(target=lambda: got.append(jobs.labels("noop"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(got) == 4
    assert {id(child) for child in got} == {id(jobs.labels("noop"))}
