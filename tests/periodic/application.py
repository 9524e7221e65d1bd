"""An application whose jobs come by themselves: `periodic.application:clockwork`."""

from penstock.engine import JobContext, Module

clockwork = Module("clockwork")


@clockwork.every(1)
async def tick(ctx: JobContext) -> float | None:
    """Says for which moment it is."""
    return ctx.scheduled_for


@clockwork.cron("0 3 * * *", timezone="Europe/Berlin", args={"days": 30})
async def nightly(ctx: JobContext, days: int) -> None:
    """Comes once a day."""
