"""`penstock history` lists finished jobs as the API tells of them, `penstock migrate` makes their tables."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import click
import msgspec
from rich.table import Table
from rich.text import Text

from penstock.deploy.http_client import HttpClient
from penstock.deploy.listing import api_option, open_console, printable, token_option
from penstock.deploy.options import debug_option, history_option, outbox_option

_STYLES = {"succeeded": "green", "dead": "red", "cancelled": "yellow", "expired": "yellow"}


class PastError(msgspec.Struct, frozen=True):
    """Why a job failed, as far as it is shown."""

    type: str
    message: str


class PastJob(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list, as far as it is shown."""

    id: str
    job: str
    state: str
    attempt: int
    tenant: str | None
    ended_at: str
    trace_id: str | None
    error: PastError | None


class PastJobs(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list, newest first."""

    jobs: list[msgspec.Raw]
    next: str | None


@click.command(short_help="Search finished jobs.")
@api_option()
@token_option()
@click.option("--tenant", metavar="ID", help="Of this tenant.")
@click.option("--job", metavar="NAME", help="Of this name, module.job.")
@click.option("--queue", metavar="NAME", help="Of this queue.")
@click.option(
    "--state", type=click.Choice(["succeeded", "dead", "cancelled", "expired"]), help="In this state."
)
@click.option("--since", metavar="TIME", help="That ended then or later: 2026-01-31T08:30:00Z.")
@click.option("--until", metavar="TIME", help="That ended before.")
@click.option("--error", metavar="TEXT", help="Whose error has this in its type or message.")
@click.option("--trace-id", metavar="ID", help="In this trace.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    metavar="N",
    help="At most so many.",
)
@click.option("--json", "as_json", is_flag=True, help="Print them as the API answers them, one a line.")
@debug_option
def history(api: str, token: str | None, limit: int, as_json: bool, **asked: str | None) -> None:
    """List finished jobs to which all of it applies, newest first.

    The API has to keep a history (--history-url), which goes back further than Redis does.

    \b
    Examples:
      penstock history --tenant acme --since 2026-01-31T00:00Z
      penstock history --state dead --error Timeout
      penstock history --trace-id 4bf92f3577b34da6a3ce929d0e0e4736 --json | jq .attempt
    """
    found = _pages(HttpClient(api, token), {name: text for name, text in asked.items() if text}, limit)
    if as_json:
        for one in found:
            click.echo(bytes(one))
    elif found:
        _show([msgspec.json.decode(one, type=PastJob) for one in found])
    else:
        click.echo("no such jobs")


@click.command(short_help="Create or renew the tables of the history and the outbox.")
@history_option
@outbox_option
@debug_option
def migrate(history_url: str | None, outbox_url: str | None) -> None:
    """Bring the databases that are named to this version's tables; twice does no harm.

    Run it before the first start and after each upgrade: API and relay refuse tables that they do not know.
    The outbox's table stands in your application's database, and may as well be made by its own migrations.

    \b
    Examples:
      penstock migrate --history-url sqlite:///.penstock/history.db
      PENSTOCK_HISTORY_URL=postgresql://penstock@db/history penstock migrate
      penstock migrate --outbox-url postgresql://shop@db/shop
    """
    if history_url is None and outbox_url is None:
        raise click.UsageError(
            "Which database? Give --history-url or --outbox-url, or set PENSTOCK_HISTORY_URL or "
            "PENSTOCK_OUTBOX_URL."
        )
    if history_url is not None:
        _migrate_history(history_url)
    if outbox_url is not None:
        from penstock.engine.sql_outbox import OutboxSettings, create

        made = create(OutboxSettings(url=outbox_url))
        click.echo("the outbox's table is there" + ("" if made else ", as before"))


def _migrate_history(url: str) -> None:
    from penstock.engine.job_history import HistorySettings, current, upgrade

    settings = HistorySettings(url=url)
    before = current(settings)
    upgrade(settings)
    after = current(settings)
    click.echo(f"the history's tables are of version {after}" + (", as before" if after == before else ""))


def _pages(api: HttpClient, asked: Mapping[str, str], limit: int) -> list[msgspec.Raw]:
    found: list[msgspec.Raw] = []
    cursor: dict[str, str] = {}
    while len(found) < limit:
        page: Any = {**asked, **cursor, "limit": str(min(500, limit - len(found)))}
        answer = api.call("GET", f"/v1/history?{urlencode(page)}", PastJobs)
        found += answer.jobs
        if answer.next is None:
            break
        cursor = {"cursor": answer.next}
    return found


def _show(found: list[PastJob]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("ended (UTC)", "state", "attempts", "job", "tenant", "id, trace id"):
        table.add_column(heading, justify="right" if heading == "attempts" else "left", no_wrap=True)
    for one in found:
        job = Text(one.job, "bold")
        if one.error is not None:
            job.append(f"\n{printable(one.error.type)}: {printable(one.error.message)[:80]}", "not bold")
        table.add_row(
            one.ended_at[:19].replace("T", " "),
            Text(one.state, _STYLES.get(one.state, "")),
            str(one.attempt),
            job,
            printable(one.tenant or "-"),
            Text(f"{one.id}\n{one.trace_id or '-'}", "dim"),
        )
    open_console().print(table)
