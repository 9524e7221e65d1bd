"""The job that is measured: nothing but the engine."""

from penstock.engine import JobContext, Module

QUEUE = "planned"
planned = Module("planned")


@planned.job(queue=QUEUE, result_ttl=60)
async def noop(ctx: JobContext, number: int) -> int:
    """Do nothing."""
    return number
