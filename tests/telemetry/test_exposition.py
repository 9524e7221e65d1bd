"""The renderer, read back by a strict parser, by promtool where there is one, and by hypothesis."""

import shutil
import subprocess
from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.telemetry.metrics.children import Counter, Gauge, Histogram
from penstock.telemetry.metrics.exposition import Format, negotiate, render
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.registry import Registry
from telemetry.strict_exposition import Malformed, read

HOSTILE = 'we"ird\\\n{},=# EOF\r\t\u2028é\x00'
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def written(registry: Registry, form: Format = Format.TEXT) -> bytes:
    return "".join(render(registry, form)).encode()


def hostile_metrics() -> Metrics:
    metrics = Metrics(tenant_label=True)
    metrics.jobs.started.labels("media", HOSTILE, "images", HOSTILE).inc()
    metrics.jobs.wait.labels("media", HOSTILE, "images").observe(0.2, TRACE)
    metrics.queues.jobs.labels(HOSTILE, "ready").set(3)
    return metrics


@pytest.mark.parametrize("form", Format)
def test_hostile_label_values_come_back_whole(form: Format) -> None:
    """Quotes, backslashes, line feeds and whatever else a name may hold survive the scrape."""
    families = read(written(hostile_metrics().registry, form), openmetrics=form is Format.OPENMETRICS)

    assert families["penstock_queue_jobs"].value(queue=HOSTILE, state="ready") == 3
    assert families["penstock_job_wait_seconds"].kind == "histogram"


@pytest.mark.parametrize("form", Format)
def test_promtool_has_nothing_to_object(form: Format) -> None:
    """Prometheus' own tool parses it where it is installed (it reads the text format); elsewhere, and for
    OpenMetrics, the strict parser does."""
    body = written(hostile_metrics().registry, form)
    read(body, openmetrics=form is Format.OPENMETRICS)
    promtool = shutil.which("promtool")
    if promtool is not None and form is Format.TEXT:
        check = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False)
        assert (check.returncode, check.stdout + check.stderr) == (0, b"")


def test_openmetrics_carries_exemplars() -> None:
    """The trace id stands at the bucket its value fell in; the text format has no place for it."""
    metrics = hostile_metrics()
    text = written(metrics.registry)
    openmetrics = read(written(metrics.registry, Format.OPENMETRICS), openmetrics=True)

    noted = [s for s in openmetrics["penstock_job_wait_seconds"].samples if s.exemplar is not None]
    assert [(s.labels["le"], s.exemplar) for s in noted] == [("0.25", ({"trace_id": TRACE}, 0.2))]
    assert TRACE.encode() not in text


def test_help_is_escaped() -> None:
    """Each format by its own rule: only OpenMetrics escapes quotation marks in help."""
    registry = Registry()
    Gauge(registry, "depth", 'A "depth" \\ and\nmore')

    assert read(written(registry), openmetrics=False)["depth"].help == 'A "depth" \\ and\nmore'
    body = written(registry, Format.OPENMETRICS)
    assert read(body, openmetrics=True)["depth"].help == 'A "depth" \\ and\nmore'


text_values = st.text(max_size=20)
numbers = st.one_of(st.floats(), st.integers(-(2**60), 2**60), st.sampled_from([nan, inf, -inf]))


@given(st.dictionaries(st.tuples(text_values, text_values), numbers, max_size=8), st.text(), st.booleans())
def test_any_gauge_reads_back(series: dict[tuple[str, str], float], doc: str, openmetrics: bool) -> None:
    """Whatever the labels and the values are, the parser finds exactly them."""
    registry = Registry()
    family = Gauge(registry, "depth", doc, ("a", "b"))
    for labels, value in series.items():
        family.labels(*labels).set(value)

    body = written(registry, Format.OPENMETRICS if openmetrics else Format.TEXT)
    found = read(body, openmetrics=openmetrics)["depth"]
    assert doc == found.help
    assert len(series) == len(found.samples)
    for (a, b), value in series.items():
        got = found.value(a=a, b=b)
        assert got == float(value) or (isnan(got) and isnan(value))


@given(
    st.lists(st.floats(0, 1e6, allow_nan=False), max_size=30),
    st.lists(st.floats(1e-6, 1e5), min_size=1, max_size=6, unique=True),
    text_values,
    st.booleans(),
)
def test_any_histogram_adds_up(values: list[float], bounds: list[float], label: str, om: bool) -> None:
    """Buckets are cumulative, ordered and complete, and exemplars lie within theirs (the parser checks)."""
    registry = Registry()
    family = Histogram(registry, "run_seconds", "Run.", ("job",), buckets=sorted(bounds))
    for value in values:
        family.labels(label).observe(value, TRACE)

    found = read(written(registry, Format.OPENMETRICS if om else Format.TEXT), openmetrics=om)
    counts = [s.value for s in found["run_seconds"].samples if s.name.endswith("_count")]
    assert counts == ([len(values)] if values else [])


@given(st.lists(st.integers(0, 10**9), max_size=5), text_values)
def test_any_counter_reads_back(amounts: list[int], label: str) -> None:
    """In OpenMetrics the family has no suffix, and its sample has."""
    registry = Registry()
    child = Counter(registry, "jobs_total", "Jobs.", ("job",)).labels(label)
    for amount in amounts:
        child.inc(amount)

    assert sum(amounts) == read(written(registry), openmetrics=False)["jobs_total"].value(job=label)
    found = read(written(registry, Format.OPENMETRICS), openmetrics=True)["jobs"]
    assert sum(amounts) == found.value(job=label)


@pytest.mark.parametrize(
    "body",
    [
        b'a{b="c} 1\n',
        b'# HELP a x\n# TYPE a gauge\na{b="\\x"} 1\n',
        b"# HELP a x\n# TYPE a gauge\na 1",
        b"# HELP a x\n# TYPE a gauge\na True\n",
        b'# HELP a x\n# TYPE a gauge\na{b="1"} 1\na{b="1"} 1\n',
        b"# HELP a x\n# TYPE a gauge\n\na 1\n",
    ],
)
def test_the_parser_is_strict(body: bytes) -> None:
    """A check that accepts everything checks nothing."""
    with pytest.raises(Malformed):
        read(body, openmetrics=False)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("text/plain", Format.TEXT),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("application/openmetrics-text;q=0, text/plain", Format.TEXT),
        ("application/openmetrics-text;q=oops", Format.TEXT),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.1", Format.TEXT),
        (  # Prometheus 2.42
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
            ),
            Format.OPENMETRICS,
        ),
        (  # Prometheus 3.5
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;"
                "q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
            ),
            Format.OPENMETRICS,
        ),
        ("text/html, application/xhtml+xml, */*;q=0.8", Format.TEXT),  # a browser
    ],
)
def test_the_format_is_what_was_asked_for(accept: str, form: Format) -> None:
    """OpenMetrics for those who name it and prefer it; text for everybody else."""
    assert form is negotiate(accept)
