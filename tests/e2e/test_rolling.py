"""Replacing every process under load, old and new side by side."""

from pathlib import Path

import pytest
import trio

from benchmarks.rolling.run import run
from benchmarks.rolling.stage import Plan, Stage
from benchmarks.rolling.submitters import TAKEN

WITHIN = 400.0
"""Seconds, on a machine that is swamped; a quiet one needs 15."""


@pytest.mark.slow
async def test_an_update_loses_repeats_and_refuses_nothing(tmp_path: Path) -> None:
    """Two APIs and three workers are replaced one by one: each job runs once, each request is taken.

    Jobs that only the newer version knows wait for it meanwhile.
    """

    async def quietly(_stage: Stage) -> None:
        await trio.sleep_forever()

    with trio.fail_after(WITHIN):
        verdict = await run(Plan(seed=1, rate=20.0, linger=2.0, calm=0.5), quietly, tmp_path)

    assert (verdict.lost, verdict.twice, verdict.violations) == ([], [], [])
    assert set(verdict.answers) <= set(TAKEN)
    assert [one.code for one in verdict.replaced] == [0] * 5
    assert verdict.submitted > 0
    assert verdict.newcomers > 0
