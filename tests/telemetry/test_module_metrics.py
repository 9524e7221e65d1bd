"""Metrics of an application's modules, in the registry of one process and in what it shows."""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine import JobContext, Module, Registry
from penstock.engine.events import JobFinished
from penstock.telemetry.metrics.exposition import Format, render
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.module_metrics import bind_module_metrics
from penstock.telemetry.metrics.series import LockedCounterChild, LockedGaugeChild, LockedHistogramChild
from penstock.telemetry.metrics.snapshot import Families, Piece, pieces
from penstock.telemetry.metrics.summed import Sum
from support.work import working
from telemetry.rig import Rig
from telemetry.strict_exposition import ReadFamily, read

HOSTILE = 'we"ird\\\n{},=é'


def shown(source: Families, form: Format = Format.TEXT) -> dict[str, ReadFamily]:
    """What a scrape would read."""
    return read("".join(render(source, form)).encode(), openmetrics=form is Format.OPENMETRICS)


@contextmanager
def bound(*modules: Module) -> Generator[Metrics]:
    """Metrics that hear what these modules count."""
    metrics = Metrics()
    unbind = bind_module_metrics(metrics, Registry(modules).metrics)
    try:
        yield metrics
    finally:
        unbind()


def test_each_kind_is_shown_with_its_module_first() -> None:
    """Names begin with `penstock_module_`; counters end in `_total`; label values come back whole."""
    images = Module("images")
    made = images.counter("thumbnails", 'Made, "all" of them.', labels=("format", "width"))
    held = images.gauge("cached", "Held.")
    size = images.histogram("thumbnail_bytes", "Sizes.", buckets=(1e3, 1e6))
    with bound(images) as metrics:
        made.inc(2, format=HOSTILE, width=200)
        held.set(7)
        held.inc(-2)
        size.observe(5_000)

    found = shown(metrics.registry)
    thumbnails = found["penstock_module_thumbnails_total"]
    assert (thumbnails.kind, thumbnails.help) == ("counter", 'Made, "all" of them.')
    assert thumbnails.value(module="images", format=HOSTILE, width="200") == 2
    assert list(thumbnails.samples[0].labels) == ["module", "format", "width"]
    assert found["penstock_module_cached"].value(module="images") == 5
    buckets = found["penstock_module_thumbnail_bytes"].samples
    assert [(s.labels.get("le"), s.value) for s in buckets[:3]] == [
        ("1000.0", 0),
        ("1000000.0", 1),
        ("+Inf", 1),
    ]


def test_a_metric_of_two_modules_is_one_family() -> None:
    """Their label tells them apart."""
    images, videos = Module("images"), Module("videos")
    counters = [module.counter("previews", "Previews.") for module in (images, videos)]
    with bound(images, videos) as metrics:
        for number, counter in enumerate(counters, 1):
            counter.inc(number)

    previews = shown(metrics.registry)["penstock_module_previews_total"]
    assert [previews.value(module=name) for name in ("images", "videos")] == [1, 2]


def test_two_telemetries_do_not_disturb_each_other() -> None:
    """Each begins at nothing and hears until it is closed, whoever else listens; then no more."""
    images = Module("images")
    made = images.counter("thumbnails", "Made.")

    def count(metrics: Metrics) -> float:
        samples = shown(metrics.registry)["penstock_module_thumbnails_total"].samples
        return sum(sample.value for sample in samples)

    with bound(images) as first:
        made.inc()
        with bound(images) as second:
            made.inc()
        made.inc()
    made.inc()

    assert (count(first), count(second)) == (3, 1)


def test_the_sum_over_processes_shows_them() -> None:
    """Counters and gauges add up; of ages and shares the largest stands for all."""
    images = Module("images")
    made = images.counter("thumbnails", "Made.", labels=("format",))
    held = images.gauge("cached", "Held.")
    age = images.gauge("cache_age_seconds", "Age of the oldest image.")
    total = Sum()
    for number in (3, 5, 4):
        with bound(images) as one_process:
            made.inc(number, format=HOSTILE)
            held.set(number)
            age.set(-number)
        for piece in pieces(one_process.registry):
            total.add(piece)

    found = shown(total)
    assert found["penstock_module_thumbnails_total"].value(module="images", format=HOSTILE) == 12
    assert found["penstock_module_cached"].value(module="images") == 12
    assert found["penstock_module_cache_age_seconds"].value(module="images") == -3
    assert found["penstock_build_info"].samples[0].value == 1


def test_past_the_cap_the_samples_share_a_series() -> None:
    """It still tells the module, and each sample of it is counted as overflow."""
    images = Module("images")
    made = images.counter("thumbnails", "Made.", labels=("path",))
    with bound(images) as metrics:
        for number in range(1_005):
            made.inc(path=number)

    found = shown(metrics.registry)
    previews = found["penstock_module_thumbnails_total"]
    assert previews.value(module="images", path="__other__") == 5
    overflow = found["penstock_telemetry_label_overflow_total"]
    assert overflow.value(metric="penstock_module_thumbnails_total") == 5


@given(st.text(max_size=20), st.floats(), st.sampled_from([Format.TEXT, Format.OPENMETRICS]))
def test_any_value_can_be_shown(label: str, value: float, form: Format) -> None:
    """No label and no number makes a sink raise or an answer unreadable."""
    images = Module("images")
    held = images.gauge("cached", "Held.", labels=("name",))
    with bound(images) as metrics:
        held.set(value, name=label)

    [sample] = shown(metrics.registry, form)["penstock_module_cached"].samples
    assert sample.value == value or value != value


@pytest.fixture
def many_switches() -> Generator[None]:
    """Threads take turns a thousand times more often than usual."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("many_switches")
def test_scrapes_go_on_while_threads_add_series() -> None:
    """Rendering, packing and reading through aioprometheus never meet a dictionary that changes its size, and
    in the end every sample has been counted."""
    images = Module("images")
    made = images.counter("thumbnails", "Made.", labels=("path",))
    took = images.histogram("resize_seconds", "Took.", labels=("path",))
    failed: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for number in range(400):
                made.inc(path=f"{thread}/{number}")
                took.observe(0.1, path=number)
        except BaseException as error:
            failed.append(error)
            raise

    with bound(images) as metrics:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            shown(metrics.registry)
            list(pieces(metrics.registry))
            metrics.registry.get("penstock_module_thumbnails_total").get_all()
        for thread in threads:
            thread.join()

    found = shown(metrics.registry)
    assert failed == []
    assert sum(s.value for s in found["penstock_module_thumbnails_total"].samples) == 1_200
    counts = [s.value for s in found["penstock_module_resize_seconds"].samples if s.name.endswith("_count")]
    assert counts == [3] * 400


def test_series_of_modules_are_those_for_threads() -> None:
    """Handlers that are plain functions run in threads: each kind has series that lose no count there."""
    images = Module("images")
    images.counter("thumbnails", "Made.")
    images.gauge("cached", "Held.")
    images.histogram("resize_seconds", "Took.")
    with bound(images) as metrics:
        own = [one for one in metrics.registry.families() if one.name.startswith("penstock_module_")]

    assert [type(family.labels("images")) for family in own] == [
        LockedCounterChild,
        LockedGaugeChild,
        LockedHistogramChild,
    ]


async def test_handlers_in_threads_count_too(rig: Rig) -> None:
    """A plain function's metrics are counted, and its observations lead to the trace of its job."""
    images = Module("images")
    took = images.histogram("resize_seconds", "Took.", labels=("format",))
    done = images.counter("thumbnails", "Made.")

    @images.job
    def resize(ctx: JobContext) -> None:
        took.observe(0.2, format="png")

    @images.job
    async def count(ctx: JobContext) -> None:
        await trio.lowlevel.checkpoint()
        done.inc()

    metrics = rig.telemetry.metrics
    unbind = bind_module_metrics(metrics, Registry([images]).metrics)
    async with working(images) as work:
        seams = rig.telemetry.seams()
        seams.observers.add(work.ears)
        await work.start_worker(seams=seams)
        for job in (resize, count):
            await work.client.submit(job)
        finished = await work.ears.wait_for(JobFinished, count=2)
    unbind()

    found = shown(metrics.registry, Format.OPENMETRICS)
    assert found["penstock_module_thumbnails"].value(module="images") == 1
    [exemplar] = [s.exemplar for s in found["penstock_module_resize_seconds"].samples if s.exemplar]
    [trace] = [event.attempt.trace for event in finished if event.attempt.job == "images.resize"]
    assert trace is not None
    assert exemplar[0]["trace_id"] == trace.traceparent.split("-")[1]


def test_what_is_declared_is_shown_before_it_is_used() -> None:
    """Dashboards find name and help. A series without labels of its own is there at 0, so that a rate over
    it is not absent; others begin with their first sample."""
    images = Module("images")
    images.counter("thumbnails", "Made.")
    images.counter("uploads", "Uploaded.", labels=("format",))
    with bound(images) as metrics:
        found = shown(metrics.registry)

    assert found["penstock_module_thumbnails_total"].value(module="images") == 0
    assert found["penstock_module_uploads_total"].help == "Uploaded."
    assert found["penstock_module_uploads_total"].samples == []


def test_pieces_survive_the_wire() -> None:
    """As worker processes send them to their supervisor."""
    images = Module("images")
    made = images.counter("thumbnails", "Made.", labels=("format",))
    with bound(images) as metrics:
        made.inc(format=HOSTILE)
        sent = list(pieces(metrics.registry))

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(sent), type=list[Piece]) == sent
