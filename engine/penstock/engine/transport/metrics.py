"""What every link counts: round trips, errors, connections. Always on: once a call is not once a job."""

from collections import Counter as Tally
from collections.abc import Generator
from contextlib import contextmanager
from threading import Lock
from typing import Literal

from penstock.engine.metric import PART, Counter, Gauge, Histogram, Metric

State = Literal["shared", "reserved", "subscribed"]

# The conventions' bounds for `db.client.operation.duration`, which start at 1 ms, and four below: a server on
# the same network answers in less (https://opentelemetry.io/docs/specs/semconv/database/database-metrics/).
_BOUNDS = (0.0001, 0.00025, 0.0005, 0.00075, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)

COMMAND_SECONDS = Histogram(
    PART,
    "redis_command_seconds",
    "From handing a call (a command, a pipeline, a script) to a connection until all its replies were there.",
    ("operation",),
    buckets=_BOUNDS,
)
ERRORS = Counter(
    PART, "redis_errors", "Calls and connections that failed, by the error; each try counts.", ("error_type",)
)
CONNECTIONS = Gauge(
    PART,
    "redis_connections",
    "Open connections: shared by all calls, reserved for what blocks, subscribed to channels.",
    ("state",),
)
RECONNECTS = Counter(PART, "redis_reconnects", "Shared connections opened in the place of one that was lost.")

METRICS: tuple[Metric, ...] = (COMMAND_SECONDS, ERRORS, CONNECTIONS, RECONNECTS)

_open: Tally[State] = Tally()
_changing = Lock()  # links of other threads count here too


def count_connections(state: State, change: int) -> None:
    """Tell how many connections of this state the process has now, after `change`."""
    with _changing:
        _open[state] += change
        CONNECTIONS.set(_open[state], state=state)


@contextmanager
def counted_connection(state: State) -> Generator[None]:
    """Count one connection for as long as the block lasts."""
    count_connections(state, 1)
    try:
        yield
    finally:
        count_connections(state, -1)


def count_error(error: BaseException) -> None:
    """Count a failure under the name of its class: there are few, see `penstock.engine.transport.errors`."""
    ERRORS.inc(error_type=type(error).__name__)
