"""Every option of the commands: its environment variable, its bounds and what it means, each said once."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from penstock.deploy.settings import (
    DEFAULTS,
    Command,
    LogFormat,
    LogSchema,
    Settings,
    TraceMode,
    setting,
    settings_of,
)
from penstock.engine.errors import InvalidRequest
from penstock.engine.names import check_queue


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
    "allow_insecure", "Let the API listen where others reach it without asking for tokens.", is_flag=True
)
tokens_file_option = setting(
    "tokens_file",
    "File of the tokens that the API asks for; `penstock token` makes them. Without it everybody is let in.",
    type=click.Path(path_type=Path),
    metavar="FILE",
)
max_waiting_option = setting(
    "max_waiting",
    "Ready jobs that a queue may hold, and as many scheduled ones; more are refused. 0 for no limit.",
    type=click.IntRange(0),
    metavar="N",
)
linger_option = setting(
    "linger",
    "Seconds after SIGTERM in which requests are still taken, so that balancers see /readyz say 503 in time.",
    type=click.FloatRange(0, 3600),
    metavar="SECONDS",
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
dev_history_option = click.option(
    "--history/--no-history",
    default=DEFAULTS["history"],
    show_default=True,
    envvar="PENSTOCK_HISTORY",
    show_envvar=True,
    help="Keep a history of finished jobs beside them, where the extra of that name is installed.",
)
retention_options = tuple(
    setting(
        f"keep_{state}",
        f"Days for which the history keeps jobs that {ended}; 0 for ever.",
        type=click.FloatRange(0, 36_500),
        metavar="DAYS",
    )
    for state, ended in (
        ("succeeded", "succeeded"),
        ("dead", "died"),
        ("cancelled", "were cancelled"),
        ("expired", "expired"),
    )
)
outbox_option = setting(
    "outbox_url",
    "Database in which applications submit jobs: sqlite:///path or postgresql://host/name.",
    metavar="URL",
)
metrics_bind_option = setting(
    "metrics_bind",
    "Serve /metrics, /healthz and /readyz here; unless given nowhere, by an API on its own port.",
    metavar="HOST:PORT",
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
