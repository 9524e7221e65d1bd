"""`penstock outbox`: what waits in an SQL outbox, and what becomes of rows that were set aside."""

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from penstock.deploy.listing import printable
from penstock.deploy.options import debug_option, outbox_option

if TYPE_CHECKING:  # SQLAlchemy is an extra
    from penstock.engine.sql_outbox import AsideRow, OutboxFacts


@click.command(short_help="Show what waits in an SQL outbox.")
@outbox_option
@click.option("--retry", "retry", multiple=True, metavar="ID", help="Have this row moved after all.")
@click.option("--discard", "discard", multiple=True, metavar="ID", help="Delete this row.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@debug_option
def outbox(outbox_url: str | None, retry: Sequence[str], discard: Sequence[str], as_json: bool) -> None:
    """Count the jobs that wait in the outbox, and list those that were set aside, with the reason.

    Rows are set aside that hold no job, that use an idempotency key again for something else, and those in
    doubt: sent so long ago that no record tells whether the job ran. --retry one if it did not, --discard it
    if it did.

    \b
    Examples:
      penstock outbox --outbox-url postgresql://db/shop
      penstock outbox --retry orders.0199c1f7a2b40123456789abcdef
    """
    if outbox_url is None:
        raise click.UsageError("Which database? Give --outbox-url, or set PENSTOCK_OUTBOX_URL.")
    from penstock.engine.sql_outbox import OutboxSettings, look, put_back
    from penstock.engine.sql_outbox import discard as throw_away

    settings = OutboxSettings(url=outbox_url)
    if retry:
        click.echo(f"{put_back(settings, retry)} of {len(retry)} to be moved")
    if discard:
        click.echo(f"{throw_away(settings, discard)} of {len(discard)} discarded")
    if retry or discard:
        return
    for line in (_json if as_json else _lines)(*look(settings)):
        click.echo(line)


def _lines(facts: "OutboxFacts", aside: "Sequence[AsideRow]") -> list[str]:
    waiting = f"{facts.waiting:,} waiting"
    if facts.oldest is not None:
        waiting += f", the oldest {max(0.0, time.time() - facts.oldest / 1000):.1f} s old"
    newer = f"; {facts.newer:,} for relays of a newer version" if facts.newer else ""
    rows = [f"{row.id} {row.job} {printable(row.tenant or '-')} {printable(row.reason)}" for row in aside]
    return [f"{waiting}; {facts.aside:,} set aside{newer}", *rows]


def _json(facts: "OutboxFacts", aside: "Sequence[AsideRow]") -> list[str]:
    oldest = None if facts.oldest is None else facts.oldest / 1000
    head = {"waiting": facts.waiting, "newer": facts.newer, "aside": facts.aside, "oldest": oldest}
    return [json.dumps(head), *(json.dumps(row._asdict()) for row in aside)]
