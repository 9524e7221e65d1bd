"""From a trace to log lines, and back."""

from verify.asking import until
from verify.stage import Stage


def check(stage: Stage) -> str:
    """The API's line of each request and a worker's of each job have its trace, and spans that Jaeger has."""
    count = 0
    for job_id, trace_id in stage.journeys.items():
        [request] = [line for line in stage.api.lines(trace_id=trace_id) if line.get("method") == "POST"]
        ends = finished(stage, trace_id)
        assert request["job_id"] == job_id
        assert {line["job"] for line in ends} == {"journey.travel", "verified.hear"}, ends
        assert all((line["tenant_id"], line["user_id"]) == ("acme", "ann") for line in ends), ends
        spans = {span.id for span in stage.jaeger.trace(trace_id)}
        assert {line["span_id"] for line in (request, *ends)} <= spans
        count += 1 + len(ends)
    return f"{count} lines of {len(stage.journeys)} traces, each with a span that Jaeger has"


def finished(stage: Stage, trace_id: str) -> list[dict[str, object]]:
    """The workers' last lines of the two jobs of a trace; a log is written a moment later."""

    def lines() -> list[dict[str, object]]:
        return [
            line
            for worker in stage.workers
            for line in worker.lines(trace_id=trace_id, event="job finished", outcome="succeeded")
        ]

    until(lambda: len(lines()) == 2, lambda: f"two jobs of {trace_id} finished: {lines()}")
    return lines()
