"""An attempt that is not sampled, by itself: what tracing takes each of them though it records nothing."""

import time

import msgspec

from penstock.engine.attempt import Attempt
from penstock.engine.outcome import Succeeded
from penstock.telemetry import Telemetry, TelemetrySettings

ATTEMPTS = 20_000  # in one turn of some 40 ms


async def unsampled(turns: int) -> list[float]:
    """Microseconds of CPU that entering and leaving the scope of an attempt takes, by turn."""
    telemetry = Telemetry.start(TelemetrySettings(log_format="json", log_level="info"))
    try:
        _costs(telemetry, ATTEMPTS)  # things are used for the first time
        return [
            (_costs(telemetry, ATTEMPTS) - _costs_of_nothing(ATTEMPTS)) / ATTEMPTS * 1e6 for _ in range(turns)
        ]
    finally:
        await telemetry.aclose()


def _costs(telemetry: Telemetry, attempts: int) -> float:
    around, attempt = telemetry.around_attempt, _attempt()
    began = time.thread_time()
    for _ in range(attempts):
        with around(attempt):
            pass
    return time.thread_time() - began


def _costs_of_nothing(attempts: int) -> float:
    began = time.thread_time()
    for _ in range(attempts):
        pass
    return time.thread_time() - began


def _attempt() -> Attempt:
    now = time.time()
    return Attempt(
        id="bench.0123",
        job="bench.noop",
        module="bench",
        queue="bench",
        number=1,
        max_attempts=4,
        priority=4,
        tenant=None,
        user=None,
        headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-00"},
        submitted=now,
        due=now,
        now=now,
        worker="worker-1",
        waited=0.01,
        outcome=Succeeded(msgspec.Raw(b"\xc0")),
    )
