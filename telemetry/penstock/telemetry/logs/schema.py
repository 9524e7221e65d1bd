"""Field names as the backend wants them: a renaming of the finished line, decided once at start.

| schema | for | names |
|---|---|---|
| `otel` | Loki, the OpenTelemetry Collector, whatever reads JSON | Penstock's own: nothing is renamed |
| `ecs` | Elasticsearch | Elastic Common Schema, else `penstock.*`; authors' fields are `labels.*` |
| `cloudwatch` | CloudWatch Logs | AWS's `message` and upper-case `level`; `xray_trace_id` beside `trace_id` |

Dotted names stay flat: Elasticsearch reads `log.level` as `log: {level}`, and people read it more easily.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, cast

import msgspec

LogSchema = Literal["otel", "ecs", "cloudwatch"]
Rename = Callable[[dict[str, Any]], dict[str, Any]]

ECS_VERSION = "8.11.0"
"""https://www.elastic.co/docs/reference/ecs; every name used here is in it and in those since."""

ECS_NAMES = {
    "timestamp": "@timestamp",
    "level": "log.level",
    "event": "message",
    "logger": "log.logger",
    "trace_id": "trace.id",
    "span_id": "span.id",
    "user_id": "user.id",
    "error_type": "error.type",
    "error": "error.message",
    "exception": "error.stack_trace",
    "method": "http.request.method",
    "status": "http.response.status_code",
    "path": "url.path",
    "trace_flags": "penstock.trace_flags",
    "submitted_trace_id": "penstock.submitted_trace_id",
    "fingerprint": "penstock.fingerprint",
    "job_id": "penstock.job.id",
    "job": "penstock.job.name",
    "args": "penstock.job.args",
    "module": "penstock.module",
    "queue": "penstock.queue",
    "attempt": "penstock.attempt",
    "tenant_id": "penstock.tenant.id",
    "outcome": "penstock.outcome",
    "waited": "penstock.waited",
    "worker": "penstock.worker",
    "route": "penstock.route",
    "process": "penstock.process",
}
"""What every schema's reader should know as ECS does; the rest of a line is `labels`."""

_to_json = msgspec.json.Encoder(enc_hook=repr).encode
_NUMBERS = frozenset({"status", "attempt", "process", "waited"})
_NUMBER = (int, float, type(None))
_TEXT = (str, datetime, int, type(None))
_SCALARS = (str, int, float, bool, type(None))


def rename_for(schema: LogSchema, service: str) -> Rename | None:
    """What renames a line's fields, first to last; None where they stay. `service` is the service's name."""
    if schema == "ecs":
        return _Ecs(service)
    return _to_cloudwatch if schema == "cloudwatch" else None


class _Ecs:
    def __init__(self, service: str) -> None:
        self._constant = {"ecs.version": ECS_VERSION, "service.name": service}

    def __call__(self, line: dict[str, Any]) -> dict[str, Any]:
        renamed: dict[str, Any] = {}
        for name, value in line.items():
            known = ECS_NAMES.get(name)
            if (
                known == "penstock.job.args"
            ):  # a type for each argument of each job would be too many mappings
                renamed[known] = _to_json(value).decode()
            elif known is not None and _fits(name, value):
                renamed[known] = value
            elif name == "seconds" and isinstance(value, (int, float)):
                renamed["event.duration"] = round(value * 1e9)  # nanoseconds
            else:
                renamed[f"labels.{name.replace('.', '_')}"] = _label(value)
        renamed.update(self._constant)
        return renamed


def _fits(name: str, value: object) -> bool:
    """Whether a value has the type that the index knows; for one that has not the line would be refused."""
    return isinstance(value, _NUMBER if name in _NUMBERS else _TEXT)


def _label(value: object) -> object:
    """Keywords only: no objects inside `labels`."""
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, (list, tuple)):
        items = cast(list[object], value)
        if all(isinstance(item, _SCALARS) for item in items):
            return items
    text = _to_json(value).decode()
    return text[1:-1] if text.startswith('"') else text  # what JSON writes as a string: times, decimals


def _to_cloudwatch(line: dict[str, Any]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for name, value in line.items():
        if name == "event":
            renamed["message"] = value
        elif name == "level":
            renamed["level"] = str(value).upper()
        elif name == "trace_id" and isinstance(value, str) and len(value) == 32:
            renamed["trace_id"] = value
            renamed["xray_trace_id"] = f"1-{value[:8]}-{value[8:]}"
        else:
            renamed[name] = value
    return renamed
