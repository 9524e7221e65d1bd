"""Metrics that modules declare: checked when declared and when used, silent without a sink."""

import re
from decimal import Decimal
from fractions import Fraction
from math import inf, nan
from typing import Any

import pytest

from penstock.engine import Module, Registry
from penstock.engine.errors import ConfigurationError
from penstock.engine.metric import Change, LabelValue

Heard = tuple[Change, tuple[LabelValue, ...], float]


class Sink:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def __call__(self, change: Change, values: tuple[LabelValue, ...], number: float) -> None:
        self.heard.append((change, values, number))


def test_a_metric_is_declared_by_its_module() -> None:
    """It knows its module, and the module's registry knows it."""
    images = Module("images")
    made = images.counter("thumbnails", "Thumbnails made.", labels=("format",))
    held = images.gauge("cached", "Images in the cache.")
    size = images.histogram("thumbnail_bytes", "Sizes.", buckets=(1e3, 1e6))

    assert Registry([images]).metrics == [made, held, size]
    assert (made.module, made.name, made.labels, made.kind) == (
        "images",
        "thumbnails",
        ("format",),
        "counter",
    )
    assert size.buckets == (1e3, 1e6)


def test_without_a_sink_nothing_happens() -> None:
    """Telemetry off costs a look at the labels."""
    images = Module("images")
    images.counter("thumbnails", "Thumbnails made.").inc()
    images.gauge("cached", "Images in the cache.").set(3)
    images.histogram("resize_seconds", "Durations.").observe(0.1)


def test_a_sink_hears_each_change() -> None:
    """Label values in declared order, whatever the order of the call, and the number as a float."""
    images = Module("images")
    made = images.counter("thumbnails", "Made.", labels=("format", "width"))
    held = images.gauge("cached", "Held.")
    took = images.histogram("resize_seconds", "Took.", labels=("value", "amount", "self"))
    sink = Sink()
    for metric in (made, held, took):
        metric.bind(sink)
    made.inc(width=200, format="png")
    made.inc(2, format="png", width=100)
    held.set(3)
    held.inc(-1)
    took.observe(Fraction(1, 4), value="a", amount="b", self="c")  # type: ignore[arg-type]

    assert sink.heard == [
        ("add", ("png", 200), 1.0),
        ("add", ("png", 100), 2.0),
        ("set", (), 3.0),
        ("add", (), -1.0),
        ("observe", ("a", "b", "c"), 0.25),
    ]
    assert {type(number) for _, _, number in sink.heard} == {float}


def test_who_has_unbound_hears_no_more() -> None:
    """Each sink for itself: the other one goes on."""
    made = Module("images").counter("thumbnails", "Made.")
    first, second = Sink(), Sink()
    unbind = made.bind(first)
    made.bind(second)
    made.inc()
    unbind()
    unbind()  # nothing is left to do
    made.inc()

    assert (len(first.heard), len(second.heard)) == (1, 2)


def test_a_sink_that_raises_costs_the_caller_nothing() -> None:
    """It is dropped with a warning, and the others are still told."""
    made = Module("images").counter("thumbnails", "Made.")
    sink = Sink()

    def broken(change: Change, values: tuple[LabelValue, ...], number: float) -> None:
        raise KeyError("odd")

    made.bind(broken)
    made.bind(sink)
    with pytest.warns(RuntimeWarning, match="thumbnails of images.*odd"):
        made.inc()
    made.inc()

    assert len(sink.heard) == 2


@pytest.mark.parametrize("labels", [{}, {"size": "s"}, {"format": "png", "size": "s"}])
def test_other_labels_than_declared_are_an_error(labels: dict[str, str]) -> None:
    """With or without a sink, so that the first test of a handler finds it; the message says what is."""
    made = Module("images").counter("thumbnails", "Made.", labels=("format",))
    with pytest.raises(
        ValueError, match=re.escape("<counter thumbnails of images> takes the labels ('format',)")
    ):
        made.inc(**labels)


@pytest.mark.parametrize("value", [None, 1.5, b"png", ["png"]])
def test_a_label_value_is_text_or_a_whole_number(value: Any) -> None:
    """What prints in many ways would be many series; None is one that was forgotten."""
    made = Module("images").counter("thumbnails", "Made.", labels=("format",))
    with pytest.raises(ValueError, match=r"format is .*expected a str or an int"):
        made.inc(format=value)


@pytest.mark.parametrize("amount", [-1, nan, inf, Decimal("-0.5")])
def test_a_counter_only_grows(amount: Any) -> None:
    """And by something that can be added up."""
    made = Module("images").counter("thumbnails", "Made.")
    sink = Sink()
    made.bind(sink)
    with pytest.raises(ValueError, match="cannot grow by"):
        made.inc(amount)

    assert sink.heard == []


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_histogram_counts_numbers(value: float) -> None:
    """One infinite value would be its sum for ever."""
    with pytest.raises(ValueError, match="cannot count"):
        Module("images").histogram("resize_seconds", "Took.").observe(value)


@pytest.mark.parametrize(
    "name",
    ["", "Thumbs", "1st", "with space", "with:colon", "x" * 65, "made_total", "a_count", "a_sum", "a_bucket"],
)
def test_a_name_is_checked_when_it_is_declared(name: str) -> None:
    """What Prometheus would refuse, read as something else, or call bad style."""
    with pytest.raises(ConfigurationError, match="cannot name a gauge of images"):
        Module("images").gauge(name, "Help.")


@pytest.mark.parametrize("label", ["", "Format", "1st", "a b", "__name__", "le", "quantile", "module"])
def test_a_label_is_checked_when_it_is_declared(label: str) -> None:
    """`module` is there already, `le` belongs to histograms."""
    with pytest.raises(ConfigurationError, match="cannot name a label"):
        Module("images").counter("thumbnails", "Made.", labels=(label,))


def test_other_mistakes_of_a_declaration() -> None:
    """Each names the metric and what is wrong about it."""
    images = Module("images")
    images.counter("thumbnails", "Made.")
    with pytest.raises(ConfigurationError, match="declared twice"):
        images.gauge("thumbnails", "Other.")
    with pytest.raises(ConfigurationError, match="declares a label twice"):
        images.counter("a", "Help.", labels=("x", "x"))
    with pytest.raises(ConfigurationError, match=re.escape("write labels=('format',)")):
        images.counter("a", "Help.", labels="format")
    with pytest.raises(ConfigurationError, match="needs a help text"):
        images.counter("a", " ")


@pytest.mark.parametrize("buckets", [(), (1, 1), (2, 1), (1, inf), (nan,)])
def test_buckets_ascend(buckets: tuple[float, ...]) -> None:
    """The one without a bound is there by itself."""
    with pytest.raises(ConfigurationError, match="ascending order"):
        Module("images").histogram("a_seconds", "Help.", buckets=buckets)


def test_two_modules_may_share_a_metric() -> None:
    """Where kinds, labels and buckets are equal; the module tells them apart."""
    images, videos = Module("images"), Module("videos")
    for module in (images, videos):
        module.counter("previews", f"Previews of {module.name}.", labels=("format",))

    assert [metric.module for metric in Registry([images, videos]).metrics] == ["images", "videos"]


@pytest.mark.parametrize("other", ["labels", "kind", "buckets"])
def test_what_cannot_be_one_metric_is_refused(other: str) -> None:
    """Before anything is started."""
    images, videos = Module("images"), Module("videos")
    images.histogram("previews", "Help.")
    if other == "labels":
        videos.histogram("previews", "Help.", labels=("format",))
    elif other == "kind":
        videos.gauge("previews", "Help.")
    else:
        videos.histogram("previews", "Help.", buckets=(1,))

    with pytest.raises(
        ConfigurationError, match=r"previews of images> and .* previews of videos> are shown as one"
    ):
        Registry([images, videos])
