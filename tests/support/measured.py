"""An application that counts something of its own: `support.measured:measured`."""

from penstock.engine import JobContext, Module

HOSTILE = 'we"ird\\\n{},=# EOF\té\u2028'
"""A label value with all that has a meaning in an exposition."""

measured = Module("measured")
painted = measured.counter("paintings", 'Paintings, "finished" or not\\.', labels=("style",))
paint_left = measured.gauge("paint_left", "Litres left in this process.", labels=("colour",))
layers = measured.histogram("layer_seconds", "Time a layer took.", labels=("style",), buckets=(0.01, 1, 60))


@measured.job
def paint(ctx: JobContext, count: int) -> None:
    """In a thread."""
    painted.inc(count, style=HOSTILE)
    layers.observe(0.5, style=HOSTILE)


@measured.job
async def refill(ctx: JobContext, litres: float) -> None:
    """On the loop."""
    paint_left.set(litres, colour="blue")
