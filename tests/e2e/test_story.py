"""Five jobs that end in five ways, told alike by spans, lines, records and the metrics' exemplars."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import trio
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from e2e.system import connected
from penstock.engine import Job
from support.otlp_receiver import OTLPReceiver, otlp_receiver
from support.processes import Process, Start, free_port
from support.redis_server import ValkeyServer

APP = "support.story:story"
ENDINGS = {
    "succeed": [(1, "succeeded")],
    "stumble": [(1, "retry"), (2, "succeeded")],
    "fail": [(1, "dead")],
    "linger": [(1, "dead")],
    "die": [(1, "succeeded")],  # the attempt that was killed with its worker consumed none
}
ERRORS = {"stumble": "ConnectionError", "fail": "KeyError", "linger": "TimeoutError"}
EXEMPLAR = re.compile(
    r'penstock_job_(wait|run)_seconds_bucket{.*job="story\.(\w+)".*# {trace_id="([0-9a-f]{32})"}'
)


class Told(NamedTuple):
    """What one source says of the attempts at one job, and in which traces."""

    attempts: list[tuple[int, str]]
    traces: set[str]


class Evidence:
    """Everything that the processes left behind."""

    def __init__(self, receiver: OTLPReceiver, processes: list[Process], metrics: str) -> None:
        self.spans = receiver.spans
        lines = [line for process in processes for line in process.err if line.startswith("{")]
        self.lines: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self.exemplars = {match.groups() for line in metrics.splitlines() if (match := EXEMPLAR.match(line))}

    def spans_of(self, trace_id: str) -> list[Span]:
        """The spans of a trace, and of the traces whose root says that they come from it."""
        traces = {trace_id} | {
            span.trace_id.hex()
            for span in self.spans
            if attributes(span).get("messaging.penstock.submitted_trace_id") == trace_id
        }
        return [span for span in self.spans if span.trace_id.hex() in traces]

    def lines_of(self, trace_id: str) -> list[dict[str, Any]]:
        """The lines of a trace, and of those that name it as their submission's."""
        return [
            line for line in self.lines if trace_id in (line.get("trace_id"), line.get("submitted_trace_id"))
        ]


def attributes(span: Span) -> dict[str, Any]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}


def told_by_spans(spans: list[Span]) -> Told:
    processes = [span for span in spans if span.name.startswith("process ")]
    told = [(attributes(span), span.trace_id.hex()) for span in processes]
    return Told(
        sorted((said["messaging.penstock.attempt"], said["messaging.penstock.outcome"]) for said, _ in told),
        {trace for _, trace in told},
    )


def told_by_lines(lines: list[dict[str, Any]]) -> Told:
    ends = [line for line in lines if "outcome" in line]
    return Told(
        sorted((line["attempt"], line["outcome"]) for line in ends), {line["trace_id"] for line in ends}
    )


async def submit(http: httpx.AsyncClient, url: str, name: str, **args: str) -> tuple[str, str]:
    answer = await http.post(f"{url}/v1/jobs", json={"job": f"story.{name}", "args": args})
    receipt = answer.raise_for_status().json()
    return receipt["id"], receipt["trace_id"]


async def test_every_source_tells_the_same_story(start: Start, valkey: ValkeyServer, tmp_path: Path) -> None:
    """By the trace id that the API answered with: all attempts with their outcomes, from four sources."""
    metrics_at = f"127.0.0.1:{free_port()}"
    with otlp_receiver() as receiver:
        options = ("--redis", valkey.url, "--otlp-endpoint", receiver.endpoint)
        api = start("api", APP, *options, "--bind", "127.0.0.1:0")
        url = api.wait_for_line(r"Running on (\S+)")[1]
        victim = start("worker", APP, *options, "--lease", "2")
        victim.wait_for_line("worker started")
        submitted: dict[str, tuple[str, str]] = {}
        async with httpx.AsyncClient(timeout=30) as http, connected(valkey.url) as client:
            with trio.fail_after(60):
                submitted["die"] = await submit(http, url, "die", marker=str(tmp_path / "died"))
                await trio.to_thread.run_sync(victim.wait)  # killed by the job; another takes over
                worker = start("worker", APP, *options, "--lease", "2", "--metrics-bind", metrics_at)
                for name in ("succeed", "stumble", "fail", "linger"):
                    submitted[name] = await submit(http, url, name)
                jobs = {name: await client.wait(job_id) for name, (job_id, _) in submitted.items()}
                accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
                metrics = (await http.get(f"http://{metrics_at}/metrics", headers=accept)).text
            assert [worker.terminate(), api.terminate()] == [0, 0]
        evidence = Evidence(receiver, [api, victim, worker], metrics)

    for name, (job_id, trace_id) in submitted.items():
        agree(evidence, name, jobs[name], trace_id)
        assert jobs[name].id == job_id
    killed_and_taken_over(evidence, *submitted["die"])


def agree(evidence: Evidence, name: str, job: Job, trace_id: str) -> None:
    """Spans, lines, record and exemplars of one job say the same."""
    spans, lines = evidence.spans_of(trace_id), evidence.lines_of(trace_id)
    by_spans, by_lines = told_by_spans(spans), told_by_lines(lines)
    assert by_spans.attempts == by_lines.attempts == ENDINGS[name], name
    assert by_spans.traces == by_lines.traces
    assert job.trace_id == trace_id
    assert (job.attempt, job.state.value) == (ENDINGS[name][-1][0], ENDINGS[name][-1][1])
    names = {span.name for span in spans}
    assert {"POST /v1/jobs", "enqueue default", "wait default", "process default"} <= names
    for kind in ("wait", "run"):
        assert {
            trace for which, of, trace in evidence.exemplars if (which, of) == (kind, name)
        } <= by_spans.traces
    assert {of for _, of, _ in evidence.exemplars} == set(ENDINGS)
    if name in ERRORS:
        failure_is_told_alike(spans, lines, job, ERRORS[name])


def failure_is_told_alike(spans: list[Span], lines: list[dict[str, Any]], job: Job, error_type: str) -> None:
    """Type, trace and fingerprint of the failure, wherever it is told; a group of one is no cause."""
    [failed] = [span for span in spans if attributes(span).get("error.type")]
    [line] = [line for line in lines if "error_type" in line]
    said = attributes(failed)
    assert said["error.type"] == line["error_type"] == error_type
    assert failed.status.code == failed.status.STATUS_CODE_ERROR
    assert (failed.trace_id.hex(), failed.span_id.hex()) == (line["trace_id"], line["span_id"])
    if job.error is not None:  # of a job that succeeded in the end nothing is kept of its failures
        assert (job.error.type, job.error.trace_id) == (error_type, failed.trace_id.hex())
        assert job.error.fingerprint == said["messaging.penstock.fingerprint"] == line["fingerprint"]


def killed_and_taken_over(evidence: Evidence, job_id: str, trace_id: str) -> None:
    """A worker that was killed took its `process` span with it; what happened is told all the same."""
    spans = evidence.spans_of(trace_id)
    [process] = [span for span in spans if span.name == "process default"]
    assert attributes(process)["messaging.penstock.crashes"] == 1
    reaps = [span for span in evidence.spans if span.name == "reap default"]
    assert any(attributes(span)["messaging.batch.message_count"] == 1 for span in reaps)
    settled = [
        pair.value.string_value
        for span in evidence.spans
        if span.name == "settle default"
        for link in span.links
        for pair in link.attributes
        if link.span_id == process.span_id
    ]
    assert settled == [job_id]
