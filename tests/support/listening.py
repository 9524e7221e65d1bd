"""An application that hears of jobs' ends; run by processes of tests."""

from typing import Any

from penstock.engine import JobContext, Module

listening = Module("listening")


@listening.job
async def end(ctx: JobContext, well: bool = True) -> str:
    """End as asked."""
    if not well:
        raise ValueError("as asked")
    return "well"


@listening.on("penstock.jobs", queue="heard")
async def heard(ctx: JobContext, event: dict[str, Any]) -> str:
    """Hear of one; its result says of which."""
    return f"{event['data']['job']} {event['data']['state']}"
