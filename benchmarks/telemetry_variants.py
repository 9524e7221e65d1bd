"""The variants that `python -m benchmarks telemetry` compares: who watches the worker, and what that
costs."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import NamedTuple

from benchmarks.stock_telemetry import StockTelemetry
from penstock.engine import Observers, Seams
from penstock.telemetry import Telemetry, TelemetrySettings
from penstock.telemetry.ledger import Ledger
from penstock.telemetry.logs.lines import bound_fields
from penstock.telemetry.traces.span import new_span_id, new_trace_id

OFF = "off"
UNSAMPLED = "unsampled"
TRACED = "traced"
ALL = "traced, measured, logged"
STOCK = "the same with stock parts"
VARIANTS = (OFF, UNSAMPLED, TRACED, ALL, STOCK)


class Watch(NamedTuple):
    """How one worker is watched, and how that ends."""

    seams: Callable[[], Seams]
    """New ones for each worker."""
    flush: Callable[[], object]
    """Blocks until all spans are exported."""
    close: Callable[[], Awaitable[object]]


def watch(variant: str, endpoint: str) -> Watch:
    """Set up a variant whose spans go to `endpoint` and whose lines go to standard error."""
    if variant == OFF:
        return Watch(Seams, bool, _nothing)
    if variant == STOCK:
        stock = StockTelemetry(endpoint)
        return Watch(stock.seams, stock.provider.force_flush, stock.aclose)
    telemetry = Telemetry.start(
        TelemetrySettings(log_format="json", log_level="info", otlp_endpoint=endpoint)
    )
    flush = telemetry.tracing.provider.force_flush
    if variant == ALL:
        return Watch(telemetry.seams, flush, telemetry.aclose)
    tracing = telemetry.tracing_observers()
    # Of what is not sampled there is nothing to tell.
    observers = tracing if variant == UNSAMPLED else [Ledger(*tracing, bound=bound_fields)]

    def seams() -> Seams:
        return Seams(Observers(*observers), around_attempt=telemetry.around_attempt)

    return Watch(seams, flush, telemetry.aclose)


def requested_by_somebody(variant: str) -> Seams:
    """Seams of a submitter that makes no spans itself: each job names a span as its submission, sampled or
    not."""
    flags = "00" if variant in (OFF, UNSAMPLED) else "01"

    def around_submit(_requests: object) -> "nullcontext[Mapping[str, str]]":
        return nullcontext({"traceparent": f"00-{new_trace_id()}-{new_span_id()}-{flags}"})

    return Seams(Observers(), around_submit)


async def _nothing() -> None:
    """There is nothing to close."""
