"""What was checked: told line by line while it runs, and as a table at the end."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table

Result = Literal["ok", "failed", "left out"]
_ROOM = 200
_COLOUR: dict[Result, str] = {"ok": "green", "failed": "bold red", "left out": "yellow"}


class Check(msgspec.Struct, kw_only=True):
    """One row."""

    name: str
    program: str
    result: Result = "ok"
    seen: str = ""
    """A figure where it went well, else what was wrong."""
    seconds: float = 0.0


class LeftOut(Exception):
    """A check cannot be made here; the message is the reason."""


class Report:
    """Rows, in the order in which they were done."""

    def __init__(self, console: Console) -> None:
        self.checks: list[Check] = []
        self._console = console
        self._began = time.monotonic()

    @contextmanager
    def check(self, name: str, program: str) -> Generator[Check]:
        """A row for the block, which sets `seen`; what it raises is a failure, and goes no further.

        `LeftOut` makes it a check that could not be made. Interruptions pass.
        """
        row = Check(name=name, program=program)
        began = time.monotonic()
        try:
            yield row
        except LeftOut as reason:
            row.result, row.seen = "left out", str(reason)
        except Exception as error:  # a failed check must not keep the others from being made
            row.result, row.seen = "failed", f"{type(error).__name__}: {error}"
        row.seconds = time.monotonic() - began
        self._add(row)

    def leave_out(self, name: str, program: str, reason: str) -> None:
        """A row for what cannot be checked."""
        self._add(Check(name=name, program=program, result="left out", seen=reason))

    def say(self, text: str) -> None:
        """A line between the checks, with the seconds since the beginning."""
        self._console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/]  {text}", highlight=False)

    def failed(self, *, complete: bool) -> bool:
        """Whether a check failed, or, where all have to be made, was left out; or none was made."""
        bad = {"failed", "left out"} if complete else {"failed"}
        return not self.checks or any(check.result in bad for check in self.checks)

    def table(self) -> Table:
        """All rows, and their sum."""
        took = time.monotonic() - self._began
        table = Table(title="make verify", caption=f"{self._sums()}, {took:.0f} s in all", box=None)
        for head in ("check", "program and version", "result", "seen"):
            table.add_column(head, overflow="fold")
        table.add_column("seconds", justify="right")
        for one in self.checks:
            result = f"[{_COLOUR[one.result]}]{one.result}[/]"
            table.add_row(one.name, one.program, result, _escaped(_short(one.seen)), f"{one.seconds:.1f}")
        return table

    def save(self, path: Path) -> None:
        """The rows as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self.checks)) + b"\n")

    def _sums(self) -> str:
        results = [check.result for check in self.checks]
        return ", ".join(f"{results.count(one)} {one}" for one in _COLOUR if one in results)

    def _add(self, row: Check) -> None:
        self.checks.append(row)
        colour = _COLOUR[row.result]
        self.say(f"[{colour}]{row.result:8}[/]  {row.name}: {_escaped(row.seen)} ({row.seconds:.1f} s)")


def _short(text: str) -> str:
    """All of it was told when it was seen."""
    first = text.partition("\n")[0]
    return text if text == first[:_ROOM] else f"{first[:_ROOM]}…"


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
