"""What a call is called in metrics and spans: its commands, nothing of their arguments."""

from collections.abc import Sequence

from penstock.engine.transport.wire import Argument, Command


def command_name(command: Sequence[Argument]) -> str:
    """The command's first word."""
    word = command[0]
    return (word.decode(errors="replace") if isinstance(word, bytes) else str(word)).upper()


def pipeline_name(commands: Sequence[Command]) -> str:
    """`GET` for one command, `PIPELINE GET` for several of a kind, else `PIPELINE`: the conventions' rule."""
    first = command_name(commands[0])
    if len(commands) == 1:
        return first
    return f"PIPELINE {first}" if len({command[0] for command in commands}) == 1 else "PIPELINE"
