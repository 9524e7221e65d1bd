"""Jobs over HTTP: each reads PostgreSQL, uses the cache, publishes to Kafka and calls a service."""

from verify.stage import Stage

JOURNEYS = 20


def check(stage: Stage) -> str:
    """All are accepted, run and succeed; the first reads the database, whose answer is cached."""
    for number in range(JOURNEYS):
        receipt = stage.submit("journey.travel", who=f"traveller {number}")
        stage.journeys[receipt["id"]] = receipt["trace_id"]
        if not number:
            stage.ended(receipt["id"])
    for job_id, trace_id in stage.journeys.items():
        job = stage.ended(job_id)
        assert (job["state"], job["result"]) == ("succeeded", 204), job
        assert job["trace_id"] == trace_id
    assert len(set(stage.journeys.values())) == JOURNEYS
    return f"{JOURNEYS} jobs submitted, {JOURNEYS} succeeded"
