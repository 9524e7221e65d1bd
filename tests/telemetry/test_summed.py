"""Several processes' metrics added up: as if one process had counted everything."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.telemetry.metrics.exposition import Format, render
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.snapshot import Families, Piece, pieces, process_pieces
from penstock.telemetry.metrics.summed import Sum
from telemetry.strict_exposition import read

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
names = st.sampled_from(["media", 'we"ird\\\n', "__other__"])
facts = st.lists(st.tuples(names, st.floats(0, 4000)), max_size=20)


def count(metrics: Metrics, what: list[tuple[str, float]]) -> None:
    for queue, seconds in what:
        metrics.jobs.started.labels(queue, "job", "module").inc()
        metrics.jobs.run.labels(queue, "job", "module").observe(seconds, TRACE)
        metrics.worker.slots.labels("busy").inc()


def written(source: Families, form: Format = Format.TEXT) -> bytes:
    return "".join(render(source, form)).encode()


def values(source: Families) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = read(written(source), openmetrics=False)
    return {
        (sample.name, frozenset(sample.labels.items())): round(sample.value, 6)
        for family in found.values()
        for sample in family.samples
    }


@given(st.lists(facts, min_size=1, max_size=4))
def test_the_sum_reads_as_one_process(shares: list[list[tuple[str, float]]]) -> None:
    """However the facts are shared out, counters, gauges and buckets are those of one who counts them all."""
    whole, total = Metrics(), Sum()
    for share in shares:
        one = Metrics()
        count(one, share)
        count(whole, share)
        for piece in pieces(one.registry):
            total.add(piece)

    assert values(total) == values(whole.registry)


def test_what_the_store_says_is_left_to_one() -> None:
    """A process reports its own counts; the queues' gauges would be counted once for each process."""
    metrics = Metrics()
    metrics.queues.jobs.labels("media", "ready").set(5)
    metrics.queues.store_up.labels().set(1)
    sent = {piece.name for piece in process_pieces(metrics)}

    assert "penstock_jobs_started_total" in sent
    assert sent.isdisjoint(
        {
            "penstock_queue_jobs",
            "penstock_queue_oldest_job_age_seconds",
            "penstock_workers",
            "penstock_queue_slots",
            "penstock_redis_memory_ratio",
            "penstock_store_up",
        }
    )


def test_what_others_keep_is_copied_in_first() -> None:
    """Losses that a thread counts for itself are up to date in what a process says."""
    metrics = Metrics()
    metrics.before_scrape.append(lambda: metrics.own.dropped.labels("logs", "queue_full").inc(3))

    [dropped] = [one for one in process_pieces(metrics) if one.name == "penstock_telemetry_dropped_total"]
    assert dropped.numbers == [('signal="logs",reason="queue_full"', 3)]


def test_many_series_come_in_many_pieces() -> None:
    """No piece holds the loop, and none gets lost on the way."""
    metrics, total = Metrics(), Sum()
    for number in range(333):
        metrics.jobs.run.labels("queue", f"job {number}", "module").observe(1)
    sent = list(pieces(metrics.registry))
    for piece in sent:
        total.add(piece)

    assert max(len(piece.distributions) for piece in sent) <= 50
    assert values(total) == values(metrics.registry)


def test_the_newest_example_is_shown() -> None:
    """Of several processes' exemplars in one bucket the latest stays; the result is valid OpenMetrics."""
    total = Sum()
    for name, when in (("a", 2.0), ("b", 3.0), ("c", 1.0)):
        metrics = Metrics()
        child = metrics.jobs.run.labels("media", "job", "module")
        child.observe(0.2)
        child.exemplars[5] = (name * 32, 0.2, when)
        for piece in pieces(metrics.registry):
            total.add(piece)

    found = read(written(total, Format.OPENMETRICS), openmetrics=True)
    noted = [s.exemplar for s in found["penstock_job_run_seconds"].samples if s.exemplar is not None]
    assert noted == [({"trace_id": "b" * 32}, 0.2)]


def test_other_buckets_are_left_out() -> None:
    """Between two versions of an application a histogram may have other buckets; they cannot be added."""
    total = Sum()
    metrics = Metrics()
    metrics.jobs.run.labels("media", "job", "module").observe(1)
    [mine] = [piece for piece in pieces(metrics.registry) if piece.name == "penstock_job_run_seconds"]
    [distribution] = mine.distributions
    other = Piece(mine.name, mine.doc, "histogram", [], [1.0], [distribution])
    for piece in (mine, other, Piece(mine.name, mine.doc, "counter", [("", 5)])):
        total.add(piece)

    assert read(written(total), openmetrics=False)["penstock_job_run_seconds"].samples[-1].value == 1
