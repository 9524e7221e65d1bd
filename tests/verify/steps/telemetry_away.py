"""Jaeger, Prometheus and Alertmanager are gone: nothing changes for the jobs, and what was lost is told."""

import json
import time

from verify.asking import EVERY, ask, until
from verify.stage import Stage

JOBS = 1_000
"""Each has two spans or more, and each of two workers keeps 500 for a collector that is away."""
DROPPED = 'sum(penstock_telemetry_dropped_total{signal="spans"})'


def check(stage: Stage) -> str:
    """Jobs are accepted and succeed meanwhile; afterwards metrics, alert and traces are there again."""
    away = (stage.jaeger, stage.prometheus, stage.alertmanager)
    for program in away:
        program.kill()
    done = run_jobs(stage)
    for program in away:
        program.start()
    lost = stage.prometheus.wait_for_more(DROPPED)
    stage.alert_arrives("PenstockTelemetryDropped")
    until(lambda: is_traced(stage), "a new job's trace is in Jaeger")
    return f"{done} jobs accepted, {done} done; afterwards {lost:.0f} spans were told to be lost"


def is_traced(stage: Stage) -> bool:
    """Whether a new job's trace arrives soon: a process tries a collector that was away twice a minute."""
    receipt = stage.submit("verified.tick", number=JOBS)
    stage.ended(receipt["id"])
    deadline = time.monotonic() + 3.0
    while time.monotonic() < deadline:
        if any(span.name == "process ticks" for span in stage.jaeger.trace(receipt["trace_id"])):
            return True
        time.sleep(EVERY)
    return False


def run_jobs(stage: Stage) -> int:
    """Submit them in one request, and see each succeed; how many."""
    lines = [json.dumps({"job": "verified.tick", "args": {"number": number}}) for number in range(JOBS)]
    body = "\n".join(lines).encode()
    answer = ask(f"{stage.api.url}/v1/jobs/batch", raw=body, kind="application/x-ndjson")
    assert answer.status == 200, answer
    receipts = [json.loads(line) for line in answer.body.splitlines()]
    assert len(receipts) == JOBS
    for number, receipt in enumerate(receipts):
        job = stage.ended(receipt["id"])
        assert (job["state"], job["result"]) == ("succeeded", number), job
    return len(receipts)
