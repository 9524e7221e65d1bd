"""An application that uses everything that dashboards show: `dashboards.application:shop`."""

import msgspec

from penstock.engine import PROVIDED, JobContext, Module, Objective, Retry
from penstock.engine.cache import Cache
from penstock.engine.outgoing import HttpClient


class ShopSettings(msgspec.Struct):
    """Whom it asks."""

    service: str = ""


class Paid(msgspec.Struct):
    """An event."""

    order: int


shop = Module(
    "shop", settings=ShopSettings, objectives={"orders": Objective(wait=5), "parcels": Objective(wait=60)}
)


@shop.job(queue="orders")
async def pay(
    ctx: JobContext,
    order: int,
    settings: ShopSettings = PROVIDED,
    cache: Cache = PROVIDED,
    http: HttpClient = PROVIDED,
) -> float:
    """Ask the cache and a service, and publish an event."""

    async def load() -> float:
        return 1.25

    rate = await cache.get_or_load(f"rate-{order % 7}", load, ttl=2, type=float)
    await http.get(f"{settings.service}/healthz")
    await ctx.publish("orders.paid", Paid(order))
    return rate


@shop.on("orders.paid", queue="parcels")
async def ship(ctx: JobContext, paid: Paid) -> int:
    """Handle it; every fifth order fails at first."""
    if paid.order % 5 == 0 and ctx.attempt == 1:
        raise Retry("no parcel at hand", delay=0.1)
    return paid.order


@shop.job(queue="orders", retries=0)
def fail(ctx: JobContext, order: int) -> None:
    """Become a dead letter."""
    raise LookupError(f"there is no order {order}")


@shop.every(1, queue="parcels")
def tidy(ctx: JobContext) -> None:
    """Come by itself."""
