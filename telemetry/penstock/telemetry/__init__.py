"""Penstock's logs, metrics and traces: subscribes to what the engine reports, and wraps ASGI applications."""

from penstock.telemetry.composition import Telemetry, TelemetrySettings
from penstock.telemetry.metrics.endpoint import MetricsEndpoint

__all__ = ["MetricsEndpoint", "Telemetry", "TelemetrySettings"]
