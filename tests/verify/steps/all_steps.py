"""The ten steps of validation, in their order: each goes on from what those before it did."""

from collections.abc import Callable

from verify.stage import Stage
from verify.steps import (
    exemplars,
    failing,
    killed,
    looking_back,
    measuring,
    reading_logs,
    store_away,
    submitting,
    telemetry_away,
    tracing,
)

STEPS: tuple[tuple[str, str, Callable[[Stage], str]], ...] = (
    ("jobs over HTTP", "PostgreSQL, Kafka", submitting.check),
    ("traces with every step", "Jaeger", tracing.check),
    ("metrics and rules", "Prometheus", measuring.check),
    ("exemplars lead to traces", "Prometheus, Jaeger", exemplars.check),
    ("trace ids in the logs", "Jaeger", reading_logs.check),
    ("history by trace id", "PostgreSQL", looking_back.check),
    ("a job fails until it is dead", "Jaeger, Prometheus, Alertmanager", failing.check),
    ("a worker is killed", "Jaeger, Prometheus, Alertmanager", killed.check),
    ("the store goes away", "Jaeger, Prometheus, Alertmanager", store_away.check),
    ("telemetry goes away", "Jaeger, Prometheus, Alertmanager", telemetry_away.check),
)
"""What is checked, the programs it is checked with beside the store, and how."""
