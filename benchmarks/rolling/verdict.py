"""What an update did to the jobs and to those who submitted them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.chaos.append_only import Testimony, commands
from benchmarks.rolling.stage import Replaced, Stage
from benchmarks.rolling.submitters import RETRYABLE, TAKEN
from penstock.engine.job import Job, JobState
from penstock.engine.names import split_job_id
from penstock.engine.record import describe
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis


class Verdict(msgspec.Struct, kw_only=True):
    """One update. Seconds throughout; `violations` says what was against the rules."""

    seconds: float
    """From the first new process to the end of the last old one."""
    submitted: int
    answers: Counter[str]
    """Of every try over HTTP."""
    newcomers: int
    """Jobs that only the newer version knew, submitted meanwhile."""
    parked: int
    """How often an older worker put one of them back for the newer ones."""
    lost: list[str]
    twice: list[str]
    violations: list[str]
    replaced: list[Replaced]
    waits: dict[str, list[float]]
    """From being submitted to being started: calm, during the update, and of newcomers."""
    acknowledged: dict[str, list[float]]
    """From the moment a submission was to be made to its acknowledgement."""

    @property
    def fine(self) -> bool:
        """Whether no job was lost or run twice, and nobody refused otherwise than for a moment."""
        return not (self.lost or self.twice or self.violations)


CALM, UPDATE, NEWCOMERS = "calm", "during the update", "unknown to the old ones"


async def read_jobs(url: str, ids: Iterable[str]) -> dict[str, Job | None]:
    """Every job as the server has it."""
    found = dict[str, Job | None]()
    async with Redis(url) as redis:
        store = RedisStore(redis)
        for job_id in ids:
            queue, suffix = split_job_id(job_id)
            record = await store.read(queue, suffix)
            if record is None:
                found[job_id] = None
            else:
                found[job_id] = describe(queue, suffix, record, worker=None, started=None)
    return found


def judge(stage: Stage, jobs: dict[str, Job | None], testimony: Testimony) -> Verdict:
    """Put together what submitters, workers and server say; everything has ended."""
    answers = Counter(answer for one in stage.submitters.submissions for answer in one.answers)
    lines = [line for process in stage.processes for line in told(process.log)]
    runs = Counter(line["job_id"] for line in lines if line["event"] == "job finished")
    twice = {job for job, count in runs.items() if count > 1}
    twice |= {job for job, life in testimony.lives.items() if life.endings > 1}
    return Verdict(
        seconds=stage.finished - stage.began,
        submitted=len(stage.submitters.submissions),
        answers=answers,
        newcomers=len(stage.newcomers),
        parked=parkings(stage.server.folder),
        lost=[name for name, job in jobs.items() if job is None or job.state is not JobState.SUCCEEDED],
        twice=sorted(twice),
        violations=[*stage.complaints, *testimony.violations, *_violations(stage, answers, lines)],
        replaced=stage.replaced,
        waits=_waits(stage, jobs),
        acknowledged=_acknowledged(stage),
    )


def _violations(stage: Stage, answers: Counter[str], lines: list[dict[str, Any]]) -> Iterator[str]:
    for answer, count in answers.items():
        if answer not in (*TAKEN, RETRYABLE):
            yield f"{count} tries of a submission: {answer}"
    given_up = sum(one.id is None for one in stage.submitters.submissions)
    if given_up:
        yield f"{given_up} submissions were given up"
    for process in stage.processes:
        if process.code != 0:
            yield f"{process.name} ended with exit code {process.code}"
    for line in lines:
        if line["level"] in ("error", "critical"):
            yield f"a process says: {line['event']}"


def _waits(stage: Stage, jobs: dict[str, Job | None]) -> dict[str, list[float]]:
    waits = dict[str, list[float]]({CALM: [], UPDATE: [], NEWCOMERS: []})
    newcomers = {receipt.id for receipt in stage.newcomers}
    for name, job in jobs.items():
        if job is not None and job.started_at is not None:
            kind = NEWCOMERS if name in newcomers else _phase(stage, job.submitted_at)
            waits[kind].append(job.started_at - job.submitted_at)
    return waits


def _acknowledged(stage: Stage) -> dict[str, list[float]]:
    seconds = dict[str, list[float]]({CALM: [], UPDATE: []})
    for one in stage.submitters.submissions:
        if one.id is not None:
            seconds[_phase(stage, one.intended)].append(one.answered - one.intended)
    return seconds


def _phase(stage: Stage, when: float) -> str:
    return UPDATE if stage.began <= when <= stage.finished else CALM


def parkings(data: Path) -> int:
    """How often a job was put back because its worker did not know it, by the server's own file."""
    files = sorted(data.glob("appendonlydir/*.incr.aof"))
    written = (words[2] for file in files for words in commands(file) if words[0].upper() == b"SET")
    return sum(record.split(b" ", 2)[1:2] == [b"parked"] for record in written)


def told(log: Path) -> Iterator[dict[str, Any]]:
    """The lines of a process's log; what is no JSON is an error that nobody has caught."""
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("{"):
            yield msgspec.json.decode(line)
        elif line.strip():
            yield {"event": line, "level": "error"}
