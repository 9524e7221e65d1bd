"""One rolling update: everything is started, replaced under load, and questioned."""

import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from benchmarks.chaos.append_only import read as read_append_only
from benchmarks.rolling.stage import Plan, Stage
from benchmarks.rolling.verdict import Verdict, judge, read_jobs


async def run(plan: Plan, show: Callable[[Stage], Awaitable[None]], folder: Path | None = None) -> Verdict:
    """Update once and judge; `show` tells how it goes meanwhile.

    Logs and data are in `folder`, which stays; without one they stay only where something was wrong.
    """
    place = folder or Path(tempfile.mkdtemp(prefix="rolling-"))
    stage = Stage(place, plan)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(show, stage)
        await stage.play(nursery)
        ids = [one.id for one in stage.submitters.submissions if one.id is not None]
        ids += [receipt.id for receipt in stage.newcomers]
        jobs = await read_jobs(stage.server.url, ids)
        nursery.cancel_scope.cancel()
    verdict = judge(stage, jobs, read_append_only(stage.server.folder))
    if verdict.fine and folder is None:
        shutil.rmtree(place)
    elif not verdict.fine:
        verdict.violations.append(f"logs and data: {place}")
    return verdict
