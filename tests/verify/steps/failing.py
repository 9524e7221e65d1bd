"""A job that fails until it is dead: what its traces, metrics, alert, logs and history tell."""

from verify.asking import until
from verify.programs.jaeger import Span
from verify.stage import Stage
from verify.steps.looking_back import found

DEAD = 'sum(penstock_jobs_finished_total{job="verified.fail",status="dead"})'


def check(stage: Stage) -> str:
    """Two attempts, both traced as errors and linked; a dead letter is counted, alerted, logged and kept."""
    known_before(stage)
    receipt = stage.submit("verified.fail", why="no such thing")
    job = stage.ended(receipt["id"])
    assert (job["state"], job["attempt"]) == ("dead", 2), job
    assert job["error"]["type"].endswith("LookupError"), job
    seconds = stage.alert_arrives("PenstockDeadLettersGrow")
    stage.prometheus.wait_for(DEAD, 1)
    check_traces(stage, receipt["trace_id"])
    [kept] = found(stage, 1, state="dead", error="no such thing")
    assert (kept["id"], kept["attempt"]) == (job["id"], 2), kept
    return f"2 attempts in 2 traces; the alert was there after {seconds:.1f} s"


def known_before(stage: Stage) -> None:
    """Wait until Prometheus has known for 30 s how many there were: that is what the alert compares with."""
    series = 'min_over_time(penstock_queue_jobs{queue="failing",state="dead"}[5s] offset 30s)'
    until(lambda: bool(stage.prometheus.values(series)), "Prometheus knows of the queue for 30 s")


def check_traces(stage: Stage, submitted: str) -> None:
    """The first attempt is part of the submission's trace; the second is one of its own, linked to it."""
    until(lambda: failed(stage.jaeger.trace(submitted)) == 1, "the first attempt is an error in the trace")
    lines = [line for worker in stage.workers for line in worker.lines(submitted_trace_id=submitted)]
    [last] = [line for line in lines if line.get("level") == "warning"]
    assert last["error_type"] == "LookupError", last
    until(lambda: failed(stage.jaeger.trace(last["trace_id"])) >= 1, "the second attempt is a trace")
    spans = stage.jaeger.trace(last["trace_id"])
    assert submitted in {link for span in spans for link in span.links}, spans


def failed(spans: list[Span]) -> int:
    """How many attempts failed."""
    return sum(span.failed for span in spans if span.name == "process failing")
