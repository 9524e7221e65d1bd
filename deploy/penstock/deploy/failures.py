"""`penstock failures`: what fails and how often, as the API tells it."""

from urllib.parse import urlencode

import click
import msgspec
from rich.table import Table
from rich.text import Text

from penstock.deploy.http_client import HttpClient
from penstock.deploy.listing import api_option, open_console, printable, token_option
from penstock.deploy.options import debug_option


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list, as far as it is shown."""

    fingerprint: str
    count: int
    job: str | None
    type: str
    message: str
    first_seen: str
    last_seen: str
    job_id: str
    trace_id: str | None


class Failures(msgspec.Struct, frozen=True, kw_only=True):
    """The list, the one seen last first."""

    failures: list[msgspec.Raw]


@click.command(short_help="List what fails, and how often.")
@api_option()
@token_option()
@click.option("--queue", metavar="NAME", help="Of this queue only.")
@click.option(
    "--limit",
    type=click.IntRange(1, 500),
    default=100,
    show_default=True,
    metavar="N",
    help="At most so many.",
)
@click.option("--json", "as_json", is_flag=True, help="Print them as the API answers them, one a line.")
@debug_option
def failures(api: str, token: str | None, queue: str | None, limit: int, as_json: bool) -> None:
    """List failures by fingerprint, the last seen first, each with its count and an example.

    Equal failures share a fingerprint: the same error at the same place of the same job, whatever values its
    message shows. The example is the last job that failed so.

    \b
    Examples:
      penstock failures
      penstock failures --queue media
      penstock failures --json | jq -r 'select(.count > 100) | .job_id'
    """
    asked = {"limit": limit} if queue is None else {"limit": limit, "queue": queue}
    found = HttpClient(api, token).call("GET", f"/v1/failures?{urlencode(asked)}", Failures).failures
    if as_json:
        for one in found:
            click.echo(bytes(one))
    elif found:
        _show([msgspec.json.decode(one, type=Failure) for one in found])
    else:
        click.echo("no failures")


def _show(found: list[Failure]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("count", justify="right")
    table.add_column("last, first (UTC)", no_wrap=True)
    table.add_column("failure", overflow="fold")
    for one in found:
        table.add_row(
            str(one.count),
            Text("\n".join(map(_moment, (one.last_seen, one.first_seen)[: one.count]))),
            Text.assemble(
                (one.job or "(job not known)", "bold"),
                f"\n{printable(one.type)}: {printable(one.message)}\n",
                (f"fingerprint  {one.fingerprint}\n", "dim"),
                (f"job id       {one.job_id}\ntrace id     {one.trace_id or '-'}", "dim"),
            ),
        )
    open_console().print(table)


def _moment(rfc3339: str) -> str:
    return rfc3339[:19].replace("T", " ")
