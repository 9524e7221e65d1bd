"""Judging a rolling update: what was against the rules is told."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
import trio

from benchmarks.chaos.append_only import Testimony
from benchmarks.rolling.stage import Plan, Replaced, Stage
from benchmarks.rolling.submitters import RETRYABLE, Submission
from benchmarks.rolling.verdict import CALM, UPDATE, Verdict, judge, parkings
from penstock.engine.job import Job, JobState
from penstock.engine.record import Header, format_header

ID = "rolled.1"


def job(state: JobState = JobState.SUCCEEDED, submitted: float = 10.0) -> Job:
    return Job(
        id=ID,
        queue="rolled",
        job="shop.resize",
        state=state,
        attempt=1,
        crashes=0,
        priority=0,
        tenant=None,
        user=None,
        submitted_at=submitted,
        due_at=submitted,
        ended_at=None,
        started_at=submitted + 0.5,
        worker=None,
        args={},
        result=None,
        error=None,
        headers={},
    )


def update(folder: Path, *answers: str, found: Job | None, lines: int = 1, code: int = 0) -> Verdict:
    """Judge an update in which there was one submission, with so many lines about its job."""
    stage = Stage(folder, Plan(seed=1, rate=1.0, linger=1.0))
    stage.began, stage.finished = 20.0, 30.0
    stage.submitters.submissions.append(Submission(10.0, list(answers), ID, 10.25))
    log = folder / "worker-old-1.log"
    line = {"event": "job finished", "level": "info", "job_id": ID}
    log.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for _ in range(lines)))
    process = SimpleNamespace(name="worker-old-1", code=code, log=log, ended=trio.Event())
    stage.processes.append(cast(Any, process))
    stage.replaced.append(Replaced("worker-old-1", 20.0, 21.0, code))
    return judge(stage, {ID: found}, Testimony())


def test_a_good_update_is_fine(tmp_path: Path) -> None:
    """A 503 that says when to come again is no violation; times are told by when it was submitted."""
    verdict = update(tmp_path, RETRYABLE, "202", found=job())
    assert verdict.fine
    assert (verdict.waits[CALM], verdict.waits[UPDATE]) == ([0.5], [])
    assert verdict.acknowledged[CALM] == [0.25]
    assert update(tmp_path, "202", found=job(submitted=25.0)).waits[UPDATE] == [0.5]


@pytest.mark.parametrize("found", [None, job(JobState.READY), job(JobState.DEAD)])
def test_what_has_not_succeeded_is_lost(tmp_path: Path, found: Job | None) -> None:
    """An acknowledged job is there at the end, and has succeeded."""
    assert update(tmp_path, "202", found=found).lost == [ID]


def test_what_two_workers_ran_is_told(tmp_path: Path) -> None:
    """By the workers' own logs, whatever the record says."""
    assert update(tmp_path, "202", found=job(), lines=2).twice == [ID]


@pytest.mark.parametrize(
    "answer", ["500", "503", "connection refused", "connection closed without an answer"]
)
def test_every_other_refusal_is_a_violation(tmp_path: Path, answer: str) -> None:
    """Also where the submission was taken in the end."""
    assert update(tmp_path, answer, "202", found=job()).violations == [f"1 tries of a submission: {answer}"]


def test_a_process_that_ends_badly_is_a_violation(tmp_path: Path) -> None:
    """Being replaced is no reason for an exit code."""
    verdict = update(tmp_path, "202", found=job(), code=1)
    assert verdict.violations == ["worker-old-1 ended with exit code 1"]


def test_parkings_are_counted_in_the_servers_own_file(tmp_path: Path) -> None:
    """A log tells of each kind of job once; the file tells every time."""
    (tmp_path / "appendonlydir").mkdir()
    with (tmp_path / "appendonlydir" / "1.incr.aof").open("wb") as file:
        for state in ("parked", "ready", "parked"):
            record = format_header(Header(1, JobState(state), 0, 0, 0, 0, 5, 5, 0, 0, "-", "-"))
            words = [b"SET", b"penstock:{rolled}:job:1", record]
            file.write(b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
    assert parkings(tmp_path) == 2
