"""A worker is killed with -9 while it has a job."""

from pathlib import Path

from verify.asking import until
from verify.stage import LEASE, Stage


def check(stage: Stage) -> str:
    """Another worker takes the job over and ends it; trace, metrics, alert and log tell of the death."""
    folder = stage.folder / "held"
    folder.mkdir()
    receipt = stage.submit("verified.hold", folder=str(folder))
    until(lambda: len(attempts(folder)) == 1, "the job has started")
    [victim] = [worker for worker in stage.workers if worker.pid == attempts(folder)[0]]
    [other] = [worker for worker in stage.workers if worker is not victim]
    victim.kill()
    taken_over = until(lambda: len(attempts(folder)) == 2, "another worker has taken it over")
    assert attempts(folder)[1] == other.pid
    (folder / "go").touch()
    job = stage.ended(receipt["id"])
    assert (job["state"], job["crashes"]) == ("succeeded", 1), job
    stage.prometheus.wait_for_more('sum(penstock_jobs_reaped_total{queue="held"})')
    stage.alert_arrives("PenstockWorkersDie")
    check_trace(stage, receipt["trace_id"])
    assert [line for line in other.lines(level="warning") if line.get("queue") == "held"], other.last_lines()
    victim.start()
    stage.prometheus.wait_for('max(penstock_workers{queue="held"})', 2)
    return f"taken over {taken_over:.1f} s after the death, of which its lease lasted {LEASE:g}"


def attempts(folder: Path) -> list[int]:
    """The processes that have had the job, in order."""
    return [int(text) for path in sorted(folder.glob("attempt-*")) if (text := path.read_text())]


def check_trace(stage: Stage, submitted: str) -> None:
    """The takeover is a span, and the attempt after it knows how many workers have died."""
    until(lambda: bool(stage.jaeger.find("penstock-worker", "reap held")), "the takeover is a span")

    def is_there() -> bool:
        return any(
            span.tags.get("messaging.penstock.crashes") == 1 and submitted in (span.trace, *span.links)
            for span in stage.jaeger.find("penstock-worker", "process held")
        )

    until(is_there, "the second attempt is a span, and has a link to the submission or is in its trace")
