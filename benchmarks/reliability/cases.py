"""The seven cases; each tells in a few words what a system did."""

import time
from collections.abc import Awaitable, Callable

import trio

from benchmarks.reliability.lab import SETTLE, Lab, Party
from benchmarks.reliability.system import CONCURRENCY, LEASE

BOUND = 75.0
"""Seconds that a takeover may take."""
OUTAGE = 3.0

Case = Callable[[Lab], Awaitable[str]]


async def killed(lab: Lab) -> str:
    """kill -9 in the middle of a job, a new worker at once."""
    worker = await _with_job(lab, 6)
    worker.kill()
    at = time.monotonic()
    await lab.start()
    return _after(await lab.started("job", 2, BOUND), at)


async def taken_over(lab: Lab) -> str:
    """kill -9 in the middle of a job, another worker idle."""
    worker = await _with_job(lab, 15)
    await lab.start()
    await trio.sleep(SETTLE)
    worker.kill()
    at = time.monotonic()
    return _after(await lab.started("job", 2, BOUND), at)


async def outlasted(lab: Lab) -> str:
    """A job of 15 s, three leases long, that nothing befalls; another worker runs short ones meanwhile."""
    await _with_job(lab, 15)
    await lab.start()
    await trio.sleep(SETTLE)
    for number in range(5):
        await lab.submit(0, f"short-{number}")
        await trio.sleep(2)
    await lab.until(lambda: bool(lab.notes("job", "end")), 15)
    await trio.sleep(LEASE)
    return _counts(lab, "job")


async def server_killed(lab: Lab) -> str:
    """Redis killed in the middle of a job and back after 3 s, with everything it had acknowledged."""
    worker = await _with_job(lab, 8)
    await lab.server.crash(OUTAGE)
    ended = await worker.ended(20)
    if ended:
        await lab.start()
    await lab.submit(0, "next")
    at = time.monotonic()
    later = await lab.started("next", 1, 30)
    await trio.sleep(3 * LEASE)  # for whoever runs it again
    lives = "the worker exits; a new one is started" if ended else "the worker lives"
    follows = "is not run" if later is None else f"runs after {max(0.0, later - at):.1f} s"
    return f"{lives}; {_counts(lab, 'job')}; the next job {follows}"


async def terminated(lab: Lab) -> str:
    """SIGTERM one second into a job of 5 s, at the defaults."""
    worker = await _with_job(lab, 5)
    worker.process.terminate()
    at = time.monotonic()
    exits = await worker.ended(60)
    took = f"exits after {time.monotonic() - at:.1f} s" if exits else "does not exit within 60 s"
    if lab.notes("job", "end"):
        return f"{took}, the job finished"
    await lab.start()
    return f"{took}, the job stopped; {_after(await lab.started('job', 2, BOUND), at)}"


async def prefetched(lab: Lab) -> str:
    """SIGTERM with 4 jobs of 5 s running and 4 behind them, another worker at once."""
    worker = await lab.start_ready()
    jobs = [f"job-{number}" for number in range(2 * CONCURRENCY)]
    await lab.submit(5, *jobs)
    await lab.until(lambda: len(_begun(lab)) >= CONCURRENCY, 30)
    await trio.sleep(1)
    first = _begun(lab)
    behind = [job for job in jobs if job not in first]
    worker.process.terminate()
    at = time.monotonic()
    await lab.start()
    await lab.until(lambda: all(lab.notes(job, "end") for job in jobs), BOUND)
    finished = sum(not lab.notes(job, "stopped") and bool(lab.notes(job, "end")) for job in first)
    again = [lab.notes(job, "start")[1].at for job in first if len(lab.notes(job, "start")) > 1]
    running = f"{finished} of the running {len(first)} finish"
    if again:
        running += (
            f", {len(again)} are run again, the last {_after(max(again), at).removeprefix('run again ')}"
        )
    starts = [lab.notes(job, "start")[0].at for job in behind if lab.notes(job, "start")]
    missing = len(behind) - len(starts)
    late = f", {missing} not within {BOUND:.0f} s" if missing else ""
    return f"{running}; those behind start {max(starts, default=at) - at:.1f} s after SIGTERM{late}"


async def frozen(lab: Lab) -> str:
    """SIGSTOP of the owner, SIGCONT one second after another worker has taken the job over (a zombie)."""
    worker = await _with_job(lab, 12)
    await lab.start()
    await trio.sleep(SETTLE)
    worker.freeze()
    at = time.monotonic()
    again = await lab.started("job", 2, BOUND)
    await trio.sleep(1)
    worker.thaw()
    await lab.until(lambda: len(lab.notes("job", "end") + lab.notes("job", "stopped")) >= 2, 25)
    return f"{_after(again, at)}; {_counts(lab, 'job')}"


CASES: dict[str, Case] = {
    "kill -9 mid-job, new worker at once": killed,
    "kill -9 mid-job, another worker idle": taken_over,
    "live job of three leases": outlasted,
    "Redis killed, back after 3 s": server_killed,
    "SIGTERM 1 s into a 5 s job": terminated,
    "SIGTERM, 4 running and 4 behind them": prefetched,
    "owner frozen, taken over, thawed": frozen,
}


async def _with_job(lab: Lab, seconds: float) -> Party:
    """A worker that is one second into a job of so many."""
    worker = await lab.start_ready()
    await lab.submit(seconds, "job")
    await lab.started("job")
    await trio.sleep(1)
    return worker


def _begun(lab: Lab) -> list[str]:
    return [note.job for note in lab.notes(event="start") if note.job.startswith("job-")]


def _after(again: float | None, at: float) -> str:
    return f"not run again within {BOUND:.0f} s" if again is None else f"run again after {again - at:.1f} s"


def _counts(lab: Lab, job: str) -> str:
    stopped = len(lab.notes(job, "stopped"))
    told = f"started {len(lab.notes(job, 'start'))}×, ended {len(lab.notes(job, 'end'))}×"
    return f"{told}, stopped {stopped}×" if stopped else told
