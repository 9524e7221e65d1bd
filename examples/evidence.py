"""What the processes have left behind about one job: its spans and its log lines."""

import json
from dataclasses import dataclass
from typing import Any

from examples.running import Server
from penstock.engine import Job


@dataclass
class Span:
    """One bar of a waterfall."""

    name: str
    process: str
    depth: int
    start: int
    """Nanoseconds since the epoch, as `end`."""
    end: int


def trace_of(job: Job, servers: list[Server]) -> list[Span]:
    """The job's spans, parents first: the path from the request to its submission, and its attempt.

    Jobs of a batch are traces of their own, with a link to the submission; their records name its span.
    """
    spans = {
        span["span_id"]: span | {"process": server.name}
        for server in servers
        for span in map(json.loads, server.spans.read_text().splitlines())
    }
    above: list[dict[str, Any]] = []
    parent = spans.get(job.headers["traceparent"].split("-")[2])
    while parent is not None:
        above.insert(0, parent)
        parent = spans.get(parent["parent_id"])
    own = [span for span in spans.values() if span["attributes"].get("messaging.message.id") == job.id]
    own.sort(key=lambda span: (not span["name"].startswith("attempt "), span["start"]))
    below = {span["span_id"] for span in own if span["name"].startswith("attempt ")}
    depths = [len(above) + (span["parent_id"] in below) for span in own]
    return [
        Span(span["name"], span["process"], depth, span["start"], span["end"])
        for depth, span in [*enumerate(above), *zip(depths, own, strict=True)]
    ]


def lines_of(job: Job, servers: list[Server]) -> list[tuple[str, dict[str, Any]]]:
    """What the processes logged in the job's trace, each with the process's name; by time.

    Lines of the batch's other jobs are left out.
    """
    found = [
        (server.name, line)
        for server in servers
        for line in server.log_lines()
        if job.trace_id in (line.get("trace_id"), line.get("submitted_trace_id"))
        and line.get("job_id", job.id) == job.id
    ]
    return sorted(found, key=lambda pair: pair[1]["timestamp"])
