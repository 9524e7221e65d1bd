"""What commands that list something have in common: which API they ask, and what they print it on."""

import json
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console

from penstock.deploy.settings import DEFAULT_API

_WIDTH = 160
"""Columns where nobody reads along on a terminal, so that ids stay in one piece."""


def api_option(meaning: str = "Ask this API.") -> Callable[[Any], Any]:
    """The option `--api`."""
    return click.option(
        "--api",
        envvar="PENSTOCK_API",
        default=DEFAULT_API,
        show_default=True,
        show_envvar=True,
        metavar="URL",
        help=meaning,
    )


def token_option() -> Callable[[Any], Any]:
    """The option `--token`."""
    return click.option(
        "--token",
        envvar="PENSTOCK_TOKEN",
        show_envvar=True,
        metavar="SECRET",
        help="Token for the API; better in the variable, as others on the machine see command lines.",
    )


def open_console() -> Console:
    """As wide as the terminal, or wide enough."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def printable(text: str) -> str:
    """On one line, and nothing in it that a terminal would obey."""
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)
