"""The job of the scale benchmarks, in any queue, for any tenant, with a payload of any size."""

from collections.abc import Iterator

from penstock.engine import JobContext, Module
from penstock.engine.request import Request

scale = Module("scale")


@scale.job(queue="scale")
async def carry(ctx: JobContext, payload: bytes) -> None:
    """Be carried about, and do nothing."""


def requests(first: int, count: int, *, tenants: int, queues: int, payload: int) -> Iterator[Request]:
    """`count` requests, the jobs of tenants and queues in turn; a single tenant is none."""
    body = b"x" * payload
    made = {
        (tenant, queue): carry.using(
            tenant=f"t{tenant}" if tenants > 1 else None, queue=queue_name(queue, queues)
        ).request(body)
        for tenant, queue in {(n % tenants, n % queues) for n in range(max(tenants, queues))}
    }
    for number in range(first, first + count):
        yield made[number % tenants, number % queues]


def queue_name(number: int, queues: int) -> str:
    """What a queue is called."""
    return "scale" if queues == 1 else f"scale-{number}"
