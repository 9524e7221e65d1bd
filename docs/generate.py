"""Write the pages of docs/ that follow from the code; a test checks that they are fresh."""

import inspect
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from penstock.deploy.overview import Overview
from penstock.deploy.settings import Settings
from penstock.deploy.supervisor import Supervisor
from penstock.engine import (
    bus,
    cache,
    events,
    job_history,
    outgoing,
    periodic_metrics,
    relay,
    sql_outbox,
    transport,
)
from penstock.engine.job import MOVES, JobState
from penstock.engine.metric import Metric
from penstock.http import metrics as http_metrics
from penstock.telemetry.metrics.children import OVERFLOW, Counter, Gauge, Histogram
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.module_metrics import bind_module_metrics

HERE = Path(__file__).parent


def job_life() -> str:
    """States and moves, as a diagram and as a table."""
    lines = [
        "# The life of a job",
        "",
        "Generated from `penstock.engine.job.MOVES` by `docs/generate.py`: that table alone decides.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> ready",
        "    [*] --> scheduled",
        *(f"    {before} --> {after}" for before, after in MOVES),
        *(f"    {state} --> [*]" for state in JobState if state.final),
        "```",
        "",
        "| from | to | because |",
        "|---|---|---|",
        *(f"| {before} | {after} | {reason} |" for (before, after), reason in MOVES.items()),
    ]
    return "\n".join(lines) + "\n"


def event_table() -> str:
    """Every event with its fields."""
    lines = [
        "# Events",
        "",
        "Generated from `penstock.engine.events` by `docs/generate.py`. The list is public: an observer is a",
        "function that takes one of these. It is called in the task where the fact happened, may not",
        "block, and is dropped and reported (`ObserverFailed`) when it raises. One with `hears`,",
        "an attribute with a set of these classes, is called for those alone. Durations are seconds.",
        "",
        "| event | when | fields |",
        "|---|---|---|",
    ]
    for event in typing.get_args(events.Event):
        summary = " ".join((inspect.getdoc(event) or "").split())
        fields = ", ".join(f"`{name}`" for name in event.__struct_fields__)
        lines.append(f"| `{event.__name__}` | {summary} | {fields} |")
    return "\n".join(lines) + "\n"


METRICS = """\
# Metrics

Generated from the registry by `docs/generate.py`. `/metrics` is served on `--metrics-bind`, or on the port of
an API that is not given one, as text 0.0.4 or, to those who ask for it as Prometheus does, OpenMetrics 1.0.

"""
ABOUT_METRICS = """
## How to read them

- **`job`** is the job's name. Prometheus attaches a `job` of its own (the scrape job) and shows ours as
  `exported_job`, unless the scrape says `honor_labels: true`.
- **Exemplars**: in OpenMetrics each bucket of `penstock_job_wait_seconds`, `penstock_job_run_seconds`,
  `penstock_http_request_seconds` and of modules' histograms names the `trace_id` of the last sampled trace
  that fell into it. Prometheus keeps them with `--enable-feature=exemplar-storage`.
- **`tenant_id`** is there with `--metrics-tenant-label` only: for the first 100 tenants that a process
  meets, empty for jobs without one. The others are `__other__` in this label and keep the rest. It is for
  some dozens of tenants; traces, logs and job records know all of them.
- **A metric has at most 1,000 series** (10,000 with tenants) in a process; label sets past that are one
  series whose every label is `__other__`, but for the `module` of modules' metrics, and each sample there
  counts in `penstock_telemetry_label_overflow_total`.
- **Several processes**: counters and histograms add up. Behind `penstock worker --processes N` gauges are
  added, too, except that of names that end in `_info`, `_seconds` or `_ratio` the largest value is shown.
- **What Redis says of a queue** (`penstock_queue_*`, `penstock_workers`) is shown by one process at a time,
  so a sum over all that are scraped counts nothing twice. The first that is scraped has the role and keeps it
  for 2.5 of its scrape intervals (5 s to 5 min; a minute after its first scrape). When it ends it hands the
  role on; when it dies another has it at its first scrape after that. `penstock_store_up` and
  `penstock_telemetry_scrape_seconds` are each process's own. **The limits**: the series then change their
  `instance`, and after a hand-over both may stand for one interval; processes of a version without this show
  all queues besides; scrape each process by its own address, because behind a balancer the one that has the
  role answers only some of the scrapes.
- **`penstock_loop_lag_seconds`** is a sample: twice a second a task looks how late it woke. Whatever holds
  the loop for 50 ms is met by one look in ten.

## A module's own

```python
images = Module("images")
thumbnails = images.counter("thumbnails", "Thumbnails made.", labels=("format",))
resize = images.histogram("resize_seconds", "Time to resize.")


@images.job
def thumbnail(ctx: JobContext, path: str) -> None:
    began = time.monotonic()
    ...
    resize.observe(time.monotonic() - began)
    thumbnails.inc(format="png")
```

shows `penstock_module_thumbnails_total{module="images",format="png"}` and the histogram
`penstock_module_resize_seconds{module="images"}`. `images.gauge` has `set` and `inc`. A counter's name gets
its `_total`; name the unit of the others, a base unit (`_seconds`, `_bytes`). Modules may share a name
where labels, kind and buckets are equal; `module` tells them apart.

Any thread may call these, in a handler or not. A wrong call (a label that was not declared, a counter that
shrinks) raises `ValueError`, with telemetry or without it, so that the first test of the handler finds it;
nothing else about a metric can fail a job. What is counted is a fact of the process: two telemetries in one
process, as in tests, both hear it while they are open.
"""

ADAPTERS: dict[str, Sequence[Metric]] = {
    "redis": transport.METRICS,
    "bus": bus.METRICS,
    "cache": cache.METRICS,
    "outgoing": outgoing.METRICS,
    "history": job_history.METRICS,
    "relay": relay.METRICS,
    "api": http_metrics.METRICS,
    "sql_outbox": sql_outbox.METRICS,
    "schedules": periodic_metrics.METRICS,
}
PARTS = ("submissions", "jobs", "worker", "objectives", "queues", "http", "own", "make")
PROCESSES = {
    "submissions": "api; whoever submits",
    "jobs": "worker",
    "worker": "worker",
    "objectives": "all that load the application; `max` over them",
    "queues": "api, worker; each queue by one of them",
    "http": "api",
    "own": "all",
    "make": "all",
    "supervisor": "`worker --processes N`",
    "redis": "all",
    "bus": "worker",
    "cache": "api; worker, where a job asks for it",
    "outgoing": "worker, where a job asks for it",
    "history": "relay, api with `--history-url`",
    "relay": "relay",
    "api": "api",
    "sql_outbox": "relay with `--outbox-url`",
    "schedules": "worker; each moment by one of them",
}
"""Which processes fill the families of each part of `Metrics`; `penstock dev` is all of them in one."""


def metric_table() -> str:
    """Every metric with its type and labels, where it comes from, and the buckets of histograms."""
    rows: list[str] = []
    buckets: dict[tuple[float, ...], list[str]] = {}
    untenanted = {family.name: family.label_names for _, family in families(Metrics())}
    for part, family in families(Metrics(tenant_label=True)):
        always = untenanted[family.name]
        text = family.doc.replace(OVERFLOW, f"`{OVERFLOW}`")
        labels = ", ".join(f"`{n}`" if n in always else f"`{n}` (opt-in)" for n in family.label_names)
        rows.append(
            f"| `{family.name}` | {family.kind.name} | {labels or '–'} | {text} | {PROCESSES[part]} |"
        )
        if isinstance(family, Histogram):
            buckets.setdefault(family.bounds, []).append(f"`{family.name}`")
    head = ["| metric | type | labels | what it says | processes |", "|---|---|---|---|---|"]
    bounds = [
        f"- {', '.join(names)}: {', '.join(f'{bound:g}' for bound in of)}" for of, names in buckets.items()
    ]
    lines = [
        *head,
        *rows,
        "",
        "Upper bounds of the histograms' buckets, in seconds, beside `+Inf`:",
        "",
        *bounds,
    ]
    return METRICS + "\n".join(lines) + "\n" + ABOUT_METRICS


def families(metrics: Metrics) -> Iterator[tuple[str, Counter | Gauge | Histogram]]:
    """The families of a process of every kind, each with the name of the part that has it."""
    parts = {id(family): part for part in PARTS for family in vars(getattr(metrics, part)).values()}
    for family in metrics.registry.families():
        yield parts[id(family)], family
    known = list(metrics.registry.families())
    Overview(Supervisor(Settings(), structlog.get_logger(), debug=False), metrics)
    for part, declared in (("supervisor", ()), *ADAPTERS.items()):
        bind_module_metrics(metrics, declared)
        for family in metrics.registry.families():
            if family not in known:
                known.append(family)
                yield part, family


PAGES = {"job-life.md": job_life, "events.md": event_table, "metrics.md": metric_table}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (HERE / name).write_text(write())
