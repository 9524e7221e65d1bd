"""The demo's story: start everything, submit one job per file over HTTP, watch, and look at what is left.

How processes are started, evidence gathered and all of it shown stands in the files beside.
"""

import json
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import trio

from examples import showing
from examples.evidence import lines_of, trace_of
from examples.running import ROOT, System, fetch, running
from penstock.engine import Client, Job, JobState
from penstock.engine.errors import PenstockError
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

FOLDER = ROOT / ".penstock" / "demo"
STDLIB = Path(sysconfig.get_path("stdlib"))
METRICS = {
    "api": ["penstock_jobs_enqueued_total", "penstock_http_requests_total", "penstock_queue_jobs"],
    "worker": [
        "penstock_jobs_finished_total",
        "penstock_job_wait_seconds_sum",
        "penstock_job_run_seconds_sum",
        "penstock_job_run_seconds_count",
    ],
}


def main() -> int:
    """Run the demo; 0 if every job is accounted for and both processes ended well."""
    try:
        return trio.run(tell)
    except* (PenstockError, OSError) as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        showing.failure(str(error))
    except* KeyboardInterrupt:
        showing.failure("interrupted; everything that ran has been stopped")
    return 1


async def tell() -> int:
    """The whole of it, in order."""
    showing.heading("Penstock: the standard library, one job per file")
    async with running("examples.codeindex:index", FOLDER) as system, Redis(system.valkey.url) as redis:
        showing.places({"Valkey": system.valkey.url, "API": system.api.url, "worker": system.worker.url})
        store = RedisStore(redis)
        paths = sources()
        began = trio.current_time()
        ids = await submit(system, paths)
        showing.submitted(len(ids), trio.current_time() - began)
        await watch(store, len(ids))
        seconds = trio.current_time() - began
        jobs = [job for job_id in ids if (job := await Client(store).get(job_id)) is not None]
        scrapes = {server.name: (await fetch(f"{server.url}/metrics")).decode() for server in system.servers}
        exit_codes = await system.drain()

    complete = show_outcomes(jobs, len(ids), seconds)
    largest = max(
        (job for job in jobs if job.state is JobState.SUCCEEDED), key=lambda job: job.result["lines"]
    )
    showing.heading(f"One job's trace: {place(largest)}")
    showing.waterfall(trace_of(largest, system.servers))
    showing.heading(f"Its log lines, found by trace id {largest.trace_id}")
    showing.log_lines(lines_of(largest, system.servers))
    showing.heading("Metrics, scraped from both (labels job and module left out)")
    showing.metrics({name: (scrape, METRICS[name]) for name, scrape in scrapes.items()})
    showing.heading("Look further")
    showing.commands(next_steps(largest))
    showing.verdict(complete and exit_codes == [0, 0], len(ids), exit_codes)
    return 0 if complete and exit_codes == [0, 0] else 1


def sources() -> list[Path]:
    """The standard library's files, without what was installed beside it."""
    found = (path for path in STDLIB.rglob("*.py") if "site-packages" not in path.relative_to(STDLIB).parts)
    return sorted(found)


async def submit(system: System, paths: Sequence[Path]) -> list[str]:
    """Submit one job per file in one request, a line of JSON each; the ids, line by line."""
    lines = [json.dumps({"job": "codeindex.parse", "args": {"path": str(path)}}) for path in paths]
    answer = await fetch(f"{system.api.url}/v1/jobs/batch", "\n".join(lines).encode())
    return [json.loads(line)["id"] for line in answer.splitlines()]


async def watch(store: RedisStore, submitted: int) -> None:
    """Show how many have ended, until all have."""
    with showing.progress(submitted) as show:
        ended = 0
        while ended < submitted:
            facts = await store.facts("codeindex")
            ended = submitted - facts.ready - facts.scheduled - facts.running
            show(ended)
            await trio.sleep(0.1)


def show_outcomes(jobs: Sequence[Job], submitted: int, seconds: float) -> bool:
    """Show what became of the jobs; whether all are accounted for."""
    succeeded = [job for job in jobs if job.state is JobState.SUCCEEDED]
    dead = [job for job in jobs if job.state is JobState.DEAD]
    deepest = max(succeeded, key=lambda job: job.result["depth"])
    showing.heading("Outcomes")
    showing.figures(
        [
            ("submitted", f"{submitted:,}", f"files of {STDLIB}"),
            (
                "succeeded",
                f"{len(succeeded):,}",
                f"{submitted / seconds:,.0f} jobs a second, {seconds:.1f} s in all",
            ),
            ("dead", f"{len(dead):,}", "files that are no Python, on purpose: see below"),
            *(
                (what, f"{sum(job.result[what] for job in succeeded):,}", "")
                for what in ("lines", "functions", "classes")
            ),
            ("deepest nesting", str(deepest.result["depth"]), place(deepest)),
        ]
    )
    showing.dead_letters([(place(job), job.error.message if job.error else "") for job in dead])
    return submitted == len(succeeded) + len(dead)


def place(job: Job) -> str:
    """The file a job was about, as one would import it from the standard library."""
    return str(Path(job.args["path"]).relative_to(STDLIB))


def next_steps(job: Job) -> list[tuple[str, str]]:
    """Commands worth typing now, each with what for."""
    folder = FOLDER.relative_to(Path.cwd()) if FOLDER.is_relative_to(Path.cwd()) else FOLDER
    return [
        (f"grep {job.trace_id} {folder}/*.log", "every line of that batch, in both processes"),
        (f"ls {folder}", "logs and spans of this run, as JSON lines"),
        ("penstock dev examples.codeindex:index", "all of it in one process, yours to play with"),
        ("penstock submit codeindex.parse path=examples/demo.py --wait", "then, from another terminal"),
        ("penstock --help", "everything else"),
    ]
