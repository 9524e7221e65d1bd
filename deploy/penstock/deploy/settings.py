"""Every setting: its option, its environment variable, its default and what it means, each said once.

The environment is read here (by click, on behalf of the options below) and in `module_settings.py`, beside
the `OTEL_*` variables, which belong to OpenTelemetry and are read by `penstock.telemetry`.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import click
import msgspec

from penstock.engine.errors import InvalidRequest
from penstock.engine.limits import MAX_WAITING
from penstock.engine.names import check_queue

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
    max_waiting: int = MAX_WAITING
    history_url: str | None = None
    bus: str = "redis"
    metrics_bind: str | None = None
    queues: tuple[str, ...] | None = None
    processes: int = 1
    concurrency: int = 64  # of each process
    lease: float = 15.0  # seconds
    grace: float = 25.0  # seconds
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


class _Queues(click.ParamType[tuple[str, ...]]):
    name = "queues"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        try:
            return tuple(check_queue(name.strip()) for name in value.split(","))
        except InvalidRequest as error:
            self.fail(str(error), param, ctx)


class _Names(click.ParamType[tuple[str, ...]]):
    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        return tuple(name.strip() for name in value.split(",") if name.strip())


_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Settings)}


def setting(name: str, meaning: str, **more: Any) -> Callable[[Command], Command]:
    """The option of one field of `Settings`, with its environment variable."""
    default = _DEFAULTS[name]
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


DEBUG = "penstock.debug"
"""Stands in a click context's `meta` once somebody asked for tracebacks."""


def _note_debug(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[DEBUG] = True


debug_option = click.option(
    "--debug",
    is_flag=True,
    envvar="PENSTOCK_DEBUG",
    show_envvar=True,
    expose_value=False,
    callback=_note_debug,
    help="Show the traceback behind an error message.",
)


modules_option = setting(
    "modules",
    "More modules beside APP's: names that installed packages offer, or package.module:attribute.",
    type=_Names(),
    metavar="A,B",
)


def app_argument(*, required: bool = True) -> Callable[[Command], Command]:
    """The APP that most commands begin with."""
    return click.argument(
        "app",
        envvar="PENSTOCK_APP",
        required=required,
        help="Your application, as package.module:attribute.  [env var: PENSTOCK_APP]",
    )


redis_option = setting(
    "redis",
    "Where Redis or Valkey is: redis://, rediss:// (TLS), unix://, redis+sentinel:// or redis+cluster://.",
    metavar="URL",
)
server_options = (
    setting("data", "Folder that keeps the jobs from one run to the next.", type=click.Path(path_type=Path)),
    setting("redis_server", "Run this valkey-server or redis-server, not the built-in one.", metavar="PATH"),
)
bind_option = setting("bind", "Where the API listens; port 0 takes a free one.", metavar="HOST:PORT")
insecure_option = setting(
    "allow_insecure", "Let the API listen where others reach it, though it knows no tokens yet.", is_flag=True
)
max_waiting_option = setting(
    "max_waiting",
    "Ready jobs that a queue may hold, and as many scheduled ones; more are refused. 0 for no limit.",
    type=click.IntRange(0),
    metavar="N",
)
bus_option = setting(
    "bus",
    "Where events go that jobs publish and modules handle: redis, the broker itself, or kafka://host:port.",
    metavar="URL",
)
history_option = setting(
    "history_url",
    "Where the history of finished jobs is: sqlite:///path or postgresql://host/name.",
    metavar="URL",
)
metrics_bind_option = setting(
    "metrics_bind", "Serve /metrics, /healthz and /readyz here; nowhere unless given.", metavar="HOST:PORT"
)
processes_option = setting(
    "processes",
    "Worker processes that share the work; one that dies is started again.",
    type=click.IntRange(1, 256),
    metavar="N",
)
worker_options = (
    setting(
        "queues",
        "Take jobs of these queues only; else of all that APP's jobs name.",
        type=_Queues(),
        metavar="A,B",
    ),
    setting(
        "concurrency", "Jobs that run at once in each process.", type=click.IntRange(1, 10_000), metavar="N"
    ),
    setting(
        "lease",
        "Seconds after a worker's death until others take over its jobs.",
        type=click.FloatRange(1, 3600),
        metavar="SECONDS",
    ),
    setting(
        "grace",
        "Seconds that running jobs get to finish when draining, before they go back to the queue.",
        type=click.FloatRange(0, 86_400),
        metavar="SECONDS",
    ),
)
telemetry_options = (
    setting(
        "log_level", "Least level that is logged.", type=click.Choice(["debug", "info", "warning", "error"])
    ),
    setting(
        "log_format",
        "Form of log lines; auto is console on a terminal, json elsewhere.",
        type=click.Choice(get_args(LogFormat)),
    ),
    setting(
        "log_schema",
        "Field names of JSON log lines: OpenTelemetry and Loki, Elastic Common Schema, or CloudWatch.",
        type=click.Choice(get_args(LogSchema)),
    ),
    setting(
        "redact",
        "Hide the values of fields of these names, beside password, token and the like.",
        type=_Names(),
        metavar="A,B",
    ),
    setting(
        "secrets",
        "Hide the values of these environment variables wherever they are about to be logged.",
        type=_Names(),
        metavar="A,B",
    ),
    setting(
        "otlp_endpoint",
        "Export spans to this OTLP/HTTP collector; OTEL_EXPORTER_OTLP_ENDPOINT does the same.",
        metavar="URL",
    ),
    setting(
        "spans_file", "Append finished spans to this file as JSON lines.", type=click.Path(path_type=Path)
    ),
    setting(
        "trace_mode",
        "Whether an attempt goes on in the trace of its submission (parent) or is one of its own with a link "
        "to it (link); auto is parent for a first attempt that starts soon.",
        type=click.Choice(get_args(TraceMode)),
    ),
    setting(
        "trace_soon",
        "Seconds from submission to start that are soon for --trace-mode auto.",
        type=click.FloatRange(0),
        metavar="SECONDS",
    ),
    setting(
        "trace_slow",
        "Keep attempts that take as long as this although their trace is not sampled.",
        type=click.FloatRange(0),
        metavar="SECONDS",
    ),
    setting(
        "metrics_tenant_label",
        "Count jobs by tenant too: a label tenant_id, for the first 100 tenants of each process.",
        is_flag=True,
    ),
)


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The settings that a command's parameters, as click has read them, amount to."""
    return Settings(**{name: value for name, value in given.items() if value is not None})


def takes(*options: Callable[[Any], Any]) -> Callable[[Callable[[Settings], None]], Callable[..., None]]:
    """Give a command these options and `--debug`; its function gets them as one `Settings`."""

    def decorate(function: Callable[[Settings], None]) -> Callable[..., None]:
        @functools.wraps(function)
        def command(**given: Any) -> None:
            function(settings_of(given))

        for option in (debug_option, *reversed(options)):
            command = option(command)
        return command

    return decorate
