"""How fast the history takes endings, and finds them again: `python -m benchmarks job-history`.

The database is built by the history's own writer, so that its indexes are as worn as in production: jobs
of many tenants end in no order of theirs, and traces are random. Each search asks for other values each time.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from penstock.engine.job import JobError, JobState
from penstock.engine.job_ending import JobEnding
from penstock.engine.job_history import History, HistorySettings, Search, open_history, upgrade
from penstock.engine.sql.engines import make_engine
from penstock.engine.sql.settings import POSTGRESQL

BATCH = 1_000
"""Endings in one call, which is a transaction: what a relay that has fallen behind hands over at once."""
ROUNDS = 51
TENANTS, NAMES = 1_000, 40
PER_SECOND = 200
"""Jobs that ended in one second of the story: a million in 83 minutes."""
START = 1_700_000_000.0
STATES = (JobState.SUCCEEDED,) * 95 + (JobState.DEAD,) * 4 + (JobState.CANCELLED,)


async def run(jobs: int, url: str | None) -> None:
    """Build a history of `jobs` jobs in `url`, or in a new SQLite file, and measure."""
    with tempfile.TemporaryDirectory(prefix="penstock-history-") as folder:
        path = Path(folder) / "history.db"
        settings = HistorySettings(url=url or f"sqlite:///{path}")
        upgrade(settings)
        async with open_history(settings) as history:
            await _write(history, jobs)
            _analyze(settings)
            await _search(history, jobs)
        if path.exists():
            print(f"size      {path.stat().st_size / jobs:,.0f} bytes a job in the file")


def _analyze(settings: HistorySettings) -> None:
    """What PostgreSQL's autovacuum does within a minute; SQLite does without."""
    engine = make_engine(settings, "migrate")
    if engine.dialect.name == POSTGRESQL:
        with engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE jobs, attempts")
    engine.dispose()


async def _write(history: History, jobs: int) -> None:
    chance = random.Random(1)
    taken: list[float] = []
    cpu = 0.0
    for first in range(0, jobs, BATCH):
        endings = list(_endings(first, min(BATCH, jobs - first), chance))
        began, used = time.perf_counter(), time.process_time()
        await history.writer.take(endings)
        taken.append((time.perf_counter() - began) / len(endings))
        cpu += time.process_time() - used
    last = statistics.mean(taken[-max(1, len(taken) // 10) :])
    print(
        f"wrote     {jobs:,} jobs, {jobs / (sum(taken) * BATCH):,.0f} jobs/s; the last tenth {1 / last:,.0f}"
    )
    print(f"          CPU {cpu / jobs * 1e6:,.0f} µs a job, the database's own included")


def _endings(first: int, count: int, chance: random.Random) -> Iterator[JobEnding]:
    for number in range(first, first + count):
        state = chance.choice(STATES)
        ended = START + number / PER_SECOND
        error = None
        if state is JobState.DEAD:
            words = f"no route to host {chance.randrange(10_000)}"
            error = JobError(
                "app.errors.Unreachable", words, "Traceback …\n" * 40, 3, fingerprint=f"{number % 50:016x}"
            )
        yield JobEnding(
            id=job_id(number),
            queue="default",
            job=f"shop.job_{chance.randrange(NAMES)}",
            module="shop",
            state=state,
            attempt=3 if error else 1,
            tenant=f"tenant-{chance.randrange(TENANTS)}",
            user=f"user-{chance.randrange(20_000)}",
            submitted_at=ended - 1,
            started_at=ended - 0.2,
            ended_at=ended,
            worker=f"host-{chance.randrange(20)}-worker",
            priority=5,
            error=error,
            trace_id=trace_id(number),
            event_id=f"{int(ended * 1000)}-0",
        )


def job_id(number: int) -> str:
    """The id of one job of the story."""
    born = int((START + number / PER_SECOND - 1) * 1000)
    return f"default.{born:012x}{random.Random(number).getrandbits(64):016x}"


def trace_id(number: int) -> str:
    """Its trace: as random as real ones."""
    return f"{random.Random(-number - 1).getrandbits(128):032x}"


async def _search(history: History, jobs: int) -> None:
    chance = random.Random(2)
    end = START + jobs / PER_SECOND

    def some_time() -> tuple[float, float]:
        since = chance.uniform(START, end)
        return since, since + 3600

    def tenant_and_time() -> Search:
        since, until = some_time()
        return Search(tenant=f"tenant-{chance.randrange(TENANTS)}", since=since, until=until)

    searches: dict[str, Callable[[], Search]] = {
        "by tenant and time": tenant_and_time,
        "by trace id": lambda: Search(trace_id=trace_id(chance.randrange(jobs))),
        "by job": lambda: Search(job=f"shop.job_{chance.randrange(NAMES)}"),
        "by tenant and job": lambda: Search(
            tenant=f"tenant-{chance.randrange(TENANTS)}", job=f"shop.job_{chance.randrange(NAMES)}"
        ),
        "dead ones of some hour": lambda: Search(
            state=JobState.DEAD, since=(t := some_time())[0], until=t[1]
        ),
        "by error text": lambda: Search(error=f"host {chance.randrange(10_000)}"),
        "newest": lambda: Search(limit=50),
    }
    for name, make in searches.items():
        await _measure(name, lambda: history.search(make()))  # noqa: B023 - called before the next one
    await _measure("read one with attempts", lambda: history.read(job_id(chance.randrange(jobs))))


async def _measure(name: str, ask: Callable[[], Awaitable[object]]) -> None:
    taken: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await ask()
        taken.append(time.perf_counter() - began)
    taken.sort()
    middle, late = taken[len(taken) // 2], taken[int(len(taken) * 0.95)]
    print(f"{name:24} median {middle * 1e3:7.2f} ms, 95 % within {late * 1e3:7.2f} ms")
