"""What a process may be told, with the defaults; `options.py` says how, and what each setting means.

The environment is read by click, on behalf of those options, and in `module_settings.py`, beside the
`OTEL_*` variables, which belong to OpenTelemetry and are read by `penstock.telemetry`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import click
import msgspec

from penstock.engine.limits import MAX_WAITING

# The front end's default and telemetry's formats, said again so that --help need not import them.
DEFAULT_BIND = "127.0.0.1:8181"
LogFormat = Literal["auto", "console", "json"]
LogSchema = Literal["otel", "ecs", "cloudwatch"]
TraceMode = Literal["auto", "parent", "link"]

DEFAULT_API = f"http://{DEFAULT_BIND}"

Command = TypeVar("Command", bound=Callable[..., Any])


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What one process was told. What a command has no option for keeps its default."""

    app: str = ""
    modules: tuple[str, ...] | None = None
    redis: str = "redis://127.0.0.1:6379/0"
    redis_server: str | None = None
    data: Path = Path(".penstock")
    bind: str = DEFAULT_BIND
    allow_insecure: bool = False
    tokens_file: Path | None = None
    max_waiting: int = MAX_WAITING
    history_url: str | None = None
    history: bool = True  # in development
    keep_succeeded: float = 30.0  # days in the history
    keep_dead: float = 90.0  # days
    keep_cancelled: float = 30.0  # days
    keep_expired: float = 30.0  # days
    outbox_url: str | None = None
    bus: str = "redis"
    metrics_bind: str | None = None
    queues: tuple[str, ...] | None = None
    processes: int = 1
    concurrency: int = 64  # of each process
    lease: float = 15.0  # seconds
    grace: float = 25.0  # seconds
    linger: float = 0.0  # seconds
    log_level: str = "info"
    log_format: LogFormat = "auto"
    log_schema: LogSchema = "otel"
    redact: tuple[str, ...] | None = None
    secrets: tuple[str, ...] | None = None
    otlp_endpoint: str | None = None
    spans_file: Path | None = None
    trace_mode: TraceMode = "auto"
    trace_soon: float = 300.0  # seconds
    trace_slow: float = 10.0  # seconds
    metrics_tenant_label: bool = False


DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Settings)}


def setting(name: str, meaning: str, **more: Any) -> Callable[[Command], Command]:
    """The option of one field of `Settings`, with its environment variable."""
    default = DEFAULTS[name]
    return click.option(
        f"--{name.replace('_', '-')}",
        name,
        default=default,
        show_default=default is not None,
        envvar=f"PENSTOCK_{name.upper()}",
        show_envvar=True,
        help=meaning,
        **more,
    )


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The settings that a command's parameters, as click has read them, amount to."""
    return Settings(**{name: value for name, value in given.items() if value is not None})
