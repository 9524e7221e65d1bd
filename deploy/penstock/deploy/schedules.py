"""`penstock schedules`: what comes by itself, when, and how it went last; and steering it."""

from typing import Any
from urllib.parse import quote

import click
import msgspec
from rich.table import Table
from rich.text import Text

from penstock.deploy.http_client import HttpClient
from penstock.deploy.listing import api_option, open_console, printable, token_option
from penstock.deploy.options import debug_option

_DONE = {"pause": "paused", "resume": "resumed", "fire": "fired", "forget": "forgotten"}


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list, as far as it is shown."""

    name: str
    queue: str
    job: str
    when: str
    timezone: str
    status: str
    next: str | None
    last: str | None
    last_job_id: str | None
    last_state: str | None


class Schedules(msgspec.Struct, frozen=True, kw_only=True):
    """The list, by name."""

    schedules: list[msgspec.Raw]


@click.command(short_help="List what comes by itself; pause, resume or fire it.")
@click.argument(
    "action", required=False, type=click.Choice(tuple(_DONE)), metavar="[pause|resume|fire|forget"
)
@click.argument("name", required=False, metavar="NAME]")
@api_option()
@token_option()
@click.option("--json", "as_json", is_flag=True, help="Print them as the API answers them, one a line.")
@debug_option
def schedules(api: str, token: str | None, action: str | None, name: str | None, as_json: bool) -> None:
    """List schedules: when each is due next, by which rule, and how its last job ended.

    With an action and a NAME: pause it (what comes meanwhile is not caught up with), resume it, fire its job
    now (its moments stay as they are), or forget one that no code declares any more.

    \b
    Examples:
      penstock schedules
      penstock schedules pause images.nightly
      penstock schedules fire images.nightly
      penstock schedules --json | jq -r 'select(.last_state == "dead") | .last_job_id'
    """
    client = HttpClient(api, token)
    if action is not None:
        if name is None:
            raise click.UsageError(f"{action} which schedule? `penstock schedules` lists their names.")
        answer: dict[str, Any] = client.call("POST", f"/v1/schedules/{quote(name, safe='')}/{action}", dict)
        click.echo(f"{name} {_DONE[action]}" + (f": job {answer['id']}" if action == "fire" else ""))
        return
    found = client.call("GET", "/v1/schedules", Schedules).schedules
    if as_json:
        for one in found:
            click.echo(bytes(one))
    elif found:
        _show([msgspec.json.decode(one, type=Schedule) for one in found])
    else:
        click.echo("no schedules")


def _show(found: list[Schedule]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("schedule", overflow="fold")
    table.add_column("next, last (UTC)", no_wrap=True)
    table.add_column("last job", overflow="fold")
    for one in found:
        name = Text.assemble((printable(one.name), "bold"), f"\n{printable(one.when)}  {one.timezone}\n")
        if one.job != one.name:
            name.append(f"job {printable(one.job)}, ", "dim")
        name.append(f"queue {one.queue}", "dim")
        times = Text(f"{_moment(one.next) if one.next else one.status}\n{_moment(one.last)}")
        ended = Text(f"{one.last_state or '-'}\n{one.last_job_id or '-'}")
        table.add_row(name, times, ended)
    open_console().print(table)


def _moment(rfc3339: str | None) -> str:
    return "-" if rfc3339 is None else rfc3339[:19].replace("T", " ")
