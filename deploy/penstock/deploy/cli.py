"""The command line: one line on stderr for whatever goes wrong, and an exit code that says whose turn it is.

0: fine. 1: it failed, and may work later (Redis is away, a port is taken, a check did not pass).
2: it cannot work as it was called: a wrong option, an `APP` that does not load, a wrong setting.

The commands import web and telemetry libraries only once they run: `--help` and errors come quickly.
"""

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from penstock.deploy.api import api
from penstock.deploy.check import check
from penstock.deploy.dev import dev
from penstock.deploy.explanation import explain
from penstock.deploy.failures import failures
from penstock.deploy.history import history, migrate
from penstock.deploy.new_token import token
from penstock.deploy.options import DEBUG, debug_option
from penstock.deploy.outbox import outbox
from penstock.deploy.relay import relay
from penstock.deploy.relays import relays
from penstock.deploy.schedules import schedules
from penstock.deploy.submit import submit
from penstock.deploy.worker import worker


class _Penstock(click.Group):
    """Turns what commands raise into one line each, unless `--debug` asked for the traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (Exception, BaseExceptionGroup) as error:  # Ctrl-C inside a nursery comes as a group
            if ctx.meta.get(DEBUG) or isinstance(
                error, click.ClickException | click.exceptions.Exit | click.Abort
            ):
                raise
            raise explain(error) from error


@click.group(
    cls=_Penstock,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`penstock COMMAND --help` has examples. Each option can also be set by the variable beside it.",
)
@click.version_option(package_name="penstock")
@debug_option
def cli() -> None:
    """A job queue on Redis for Trio workers.

    APP names your application as package.module:attribute, a Module or a list of them.

    \b
    Start here, nothing else has to be installed or running:
      penstock dev examples.codeindex:index
      penstock submit codeindex.parse path=examples/codeindex.py --wait
    """


for _command in (
    dev,
    api,
    worker,
    submit,
    schedules,
    failures,
    history,
    migrate,
    relay,
    relays,
    outbox,
    token,
    check,
):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    try:
        result = cli.main(arguments, "penstock", standalone_mode=False)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx is not None else "penstock"
        _say(f"{' '.join(error.format_message().split())} See `{command} --help`.")
        sys.exit(2)
    except click.ClickException as error:
        _say(error.format_message())
        sys.exit(error.exit_code)
    except click.Abort:
        _say("interrupted")
        sys.exit(1)
    sys.exit(result if isinstance(result, int) else 0)


def _say(line: str) -> None:
    click.echo(f"penstock: {line}", err=True)
