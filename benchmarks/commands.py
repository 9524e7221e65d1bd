"""The benchmarks whose results the report is made of, each a command; and the report."""

import click

from benchmarks import hotpath, http_api, memory, submit, telemetry
from benchmarks.costs import run as costs
from benchmarks.frame.command import measured
from benchmarks.latency import run as latency
from benchmarks.limit import run as limit
from benchmarks.peers import published
from benchmarks.peers import run as peers
from benchmarks.report.run import report
from benchmarks.scale import processes
from benchmarks.scale import run as scale
from benchmarks.standard import standard

COMMANDS = (
    measured(
        "hotpath",
        hotpath.run,
        "Jobs drained a second by one worker, telemetry off and on, and what a job costs.",
        rounds=20,
    ),
    measured(
        "limit",
        limit.run,
        "The same bytes with no engine around them, and plain commands in a pipeline.",
        rounds=15,
    ),
    measured(
        "telemetry",
        telemetry.run,
        "CPU a job: off, unsampled, traced, all of it, and with stock parts.",
        rounds=12,
    ),
    measured("submit", submit.run, "Submitting from Python, singly and in bulk.", rounds=15),
    measured("http", http_api.run, "Submitting over HTTP: NDJSON batches and single requests.", rounds=12),
    measured(
        "latency",
        latency.run,
        "Submit to start and to settled in an open loop: idle, 50 % and 80 % load, near and 1 ms away.",
        click.option("--fsync/--no-fsync", default=False, help="Whether the server syncs every write."),
    ),
    measured(
        "scale",
        scale.run,
        "How cost grows with processes, jobs that wait, tenants, queues and payload.",
        click.option(
            "--only",
            multiple=True,
            type=click.Choice([*scale.CURVES, processes.CURVE]),
            help="Curves; else all.",
        ),
        rounds=7,
    ),
    measured(
        "memory",
        memory.run,
        "A worker's memory over a million jobs, and what a waiting job takes in Redis.",
        click.option("--jobs", default=1_000_000, show_default=True, help="Of each variant."),
    ),
    measured(
        "peers",
        peers.run,
        "Penstock beside streaQ, SAQ, arq, taskiq, docket, dramatiq, rq and celery.",
        click.option("--fsync/--no-fsync", default=False, help="Whether servers sync every write."),
        click.option("--only", multiple=True, metavar="WORD", help="Only peers whose names contain it."),
        rounds=9,
    ),
    measured(
        "published", published.run, "The three cases that streaQ publishes, with those it compares itself to."
    ),
    measured(
        "profile", costs.run, "Where each microsecond of a job goes, telemetry off and all of it.", rounds=8
    ),
    report,
    standard,
)
