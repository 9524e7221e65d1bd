"""`penstock token`: makes a token for the API."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec

from penstock.deploy.options import debug_option, tokens_file_option
from penstock.engine.errors import ConfigurationError

SCOPES = ("submit", "read", "operate")  # `penstock.http.tokens`' own, said again so that --help is quick


@click.command(short_help="Make a token for the API.")
@click.argument("name", help="By which you will know it: its line is removed to take it back.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="What it allows, given once for each: submit jobs, read jobs and queues, operate (cancel).",
)
@click.option("--tenant", metavar="ID", help="For this tenant's jobs alone; else for those of all.")
@click.option("--user", metavar="ID", help="Submit on behalf of this user; else of whom requests name.")
@click.option(
    "--max-priority", type=click.IntRange(0, 9), metavar="N", help="Submit up to this priority; else up to 9."
)
@click.option("--days", type=click.FloatRange(0, min_open=True), metavar="N", help="Valid for so many days.")
@tokens_file_option
@debug_option
def token(name: str, tokens_file: Path | None, days: float | None, **given: Any) -> None:
    """Make a token and print its secret, this once: only its SHA-256 is kept.

    With a tokens file its line is added there, and running APIs know it within seconds; else the line is
    printed for you to add. The secret alone goes to standard output.

    \b
    Examples:
      penstock token shop --scope submit --scope read --tenant acme --tokens-file tokens
      penstock token prometheus --scope read --days 365 --tokens-file tokens
      PENSTOCK_TOKEN=$(penstock token ci --scope submit --tokens-file tokens) penstock submit ...
    """
    from penstock.http.token_book import digest_of, new_secret, read_tokens
    from penstock.http.tokens import Token

    secret = new_secret()
    expires = None if days is None else _in_days(days)
    given = {field: value for field, value in given.items() if value is not None}
    made = Token(name=name, sha256=digest_of(secret), expires=expires, **given)
    line = msgspec.json.encode(made)
    if tokens_file is None:
        read_tokens(line)  # refuses what the API would refuse
        click.echo(f"Add this line to the API's tokens file:\n{line.decode()}", err=True)
    else:
        _append(tokens_file, line)
        click.echo(f"added to {tokens_file}; the secret is shown this once:", err=True)
    click.echo(secret)


def _in_days(days: float) -> datetime:
    try:
        return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)
    except OverflowError:
        raise click.UsageError("--days: no calendar goes as far as that") from None


def _append(path: Path, line: bytes) -> None:
    """Add a line in one step; raises `ConfigurationError` where the file cannot be read with it."""
    from penstock.http.token_book import read_tokens

    before = path.read_bytes() if path.exists() else b""
    if before and not before.endswith(b"\n"):
        line = b"\n" + line
    try:
        read_tokens(before + line)
    except ConfigurationError as error:
        raise ConfigurationError(f"nothing was added to {path}: {error}") from error
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line + b"\n")
    finally:
        os.close(file)
