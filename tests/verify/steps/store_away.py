"""The broker's server stops under load, and comes back."""

from verify.asking import ask, until
from verify.stage import Stage

JOBS = 200


def check(stage: Stage) -> str:
    """Requests are refused meanwhile, the alert fires and ends, and no job that was accepted is lost."""
    receipts = [stage.submit("verified.tick", number=number)["id"] for number in range(JOBS)]
    stage.store.stop()
    until(lambda: ask(f"{stage.api.url}/readyz").status == 503, "the API says that it is not ready")
    refused = ask(f"{stage.api.url}/v1/jobs", {"job": "verified.tick", "args": {"number": 0}})
    assert refused.status == 503, refused
    assert "retry-after" in refused.headers, refused.headers
    assert ask(f"{stage.api.url}/healthz").status == 200, "the API lives"
    seconds = stage.alert_arrives("PenstockStoreDown")
    stage.store.start()
    for process in stage.processes:
        process.wait_until_ready()
    for number, job_id in enumerate(receipts):
        job = stage.ended(job_id)
        assert (job["state"], job["result"]) == ("succeeded", number), job
    until(lambda: stage.prometheus.alert("PenstockStoreDown") == "inactive", "the alert has ended")
    check_told(stage, refused.json())
    return f"{JOBS} jobs accepted, {JOBS} done; the alert was there after {seconds:.1f} s"


def check_told(stage: Stage, problem: dict[str, object]) -> None:
    """The request that was refused is an error in its trace; workers and API wrote of the outage."""
    trace_id = str(problem["trace_id"])
    until(lambda: any(span.failed for span in stage.jaeger.trace(trace_id)), "the refusal is in Jaeger")
    stage.prometheus.wait_for_more("sum(penstock_redis_reconnects_total)")
    for process in (stage.api, *stage.workers):
        assert process.lines(level="warning"), f"{process.name} wrote no warning\n{process.last_lines()}"
