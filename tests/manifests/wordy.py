"""An application whose jobs log nearly as much as a line may hold: `manifests.wordy:modules`."""

import structlog

from penstock.engine import JobContext, Module
from penstock.telemetry.logs.lines import MAX_LINE
from support.application import trial

wordy = Module("wordy")
modules = [trial, wordy]
PARTS = 20
MUCH = MAX_LINE - 2_048
"""Bytes of the author's in one line: with what else stands there, nearly as many as a line may have."""


@wordy.job
async def tell(ctx: JobContext) -> None:
    """Log as much as is not cut."""
    said = {f"part_{number}": "x" * (MUCH // PARTS) for number in range(PARTS)}
    structlog.get_logger("wordy").error("told", **said)
