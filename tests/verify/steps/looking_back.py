"""The history in PostgreSQL, by the API."""

from typing import Any

from verify.asking import query, until
from verify.stage import Stage


def check(stage: Stage) -> str:
    """A trace id finds the journey and the job that heard of its end, with worker, tenant and attempts."""
    for job_id, trace_id in stage.journeys.items():
        jobs = found(stage, 2, trace_id=trace_id)
        assert {job["job"] for job in jobs} == {"journey.travel", "verified.hear"}, jobs
        assert {(job["tenant"], job["user"], job["state"]) for job in jobs} == {("acme", "ann", "succeeded")}
        assert job_id in {job["id"] for job in jobs}
    total = len(found(stage, 2 * len(stage.journeys), tenant="acme", limit="500"))
    return f"{total} jobs kept, each found by its trace"


def found(stage: Stage, least: int, **parameters: str) -> list[dict[str, Any]]:
    """What the history finds, once that is so many."""
    jobs: list[dict[str, Any]] = []

    def enough() -> bool:
        answer = query(f"{stage.api.url}/v1/history", **parameters)
        assert answer.status == 200, answer.body.decode()
        jobs[:] = answer.json()["jobs"]
        return len(jobs) >= least

    until(enough, lambda: f"{least} jobs are in the history by {parameters}; there are {len(jobs)}")
    return jobs
