"""An application whose jobs say on whose behalf they run; run by processes of tests."""

from typing import Any

import structlog

from penstock.engine import JobContext, Module

shop = Module("shop")


@shop.job
async def order(ctx: JobContext, number: int) -> int:
    """Publish an event, and leave a line in the log."""
    structlog.get_logger("shop").info("ordering", number=number)
    await ctx.publish("orders.placed", {"number": number})
    return number


@shop.on("orders.placed", queue="heard")
async def placed(ctx: JobContext, event: dict[str, Any]) -> None:
    """Handle what the job published."""
    structlog.get_logger("shop").info("order heard of")


@shop.on("penstock.jobs", queue="heard")
async def ended(ctx: JobContext, event: dict[str, Any]) -> None:
    """Handle what the relay published of its end."""
    data = event["data"]
    if data["job"] == "shop.order":
        structlog.get_logger("shop").info("end heard of", of=[data["tenant"], data["user"], data["trace_id"]])
