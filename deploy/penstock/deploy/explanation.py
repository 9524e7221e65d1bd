"""From what a command raised to one line and an exit code that says whose turn it is."""

import click

from penstock.engine.errors import ConfigurationError, InvalidRequest, PenstockError


class Failed(click.ClickException):
    """It may work later; in one line."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class Misused(Failed):
    """It cannot work as it was called."""

    exit_code = 2


def explain(error: BaseException) -> Failed:
    """Say it in one line; of a nursery's group the first error: the others followed or say the same."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case ConfigurationError() | InvalidRequest():
            return Misused(str(error))
        case PenstockError():
            return Failed(str(error))
        case OSError():
            place = f"{error.filename}: " if error.filename else ""
            return Failed(f"{place}{error.strerror or error}")
        case KeyboardInterrupt():
            return Failed("interrupted")
        case _:
            return Failed(f"{type(error).__name__}: {error} (a defect: --debug shows where)")
