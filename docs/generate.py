"""Write the pages of docs/ that follow from the code; a test checks that they are fresh."""

import inspect
import typing
from pathlib import Path

from penstock.engine import events
from penstock.engine.job import MOVES, JobState

HERE = Path(__file__).parent


def job_life() -> str:
    """States and moves, as a diagram and as a table."""
    lines = [
        "# The life of a job",
        "",
        "Generated from `penstock.engine.job.MOVES` by `docs/generate.py`: that table alone decides.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> ready",
        "    [*] --> scheduled",
        *(f"    {before} --> {after}" for before, after in MOVES),
        *(f"    {state} --> [*]" for state in JobState if state.final),
        "```",
        "",
        "| from | to | because |",
        "|---|---|---|",
        *(f"| {before} | {after} | {reason} |" for (before, after), reason in MOVES.items()),
    ]
    return "\n".join(lines) + "\n"


def event_table() -> str:
    """Every event with its fields."""
    lines = [
        "# Events",
        "",
        "Generated from `penstock.engine.events` by `docs/generate.py`. The list is public: an observer is a",
        "function that takes one of these. It is called in the task where the fact happened, may not",
        "block, and is dropped and reported (`ObserverFailed`) when it raises. Durations are seconds.",
        "",
        "| event | when | fields |",
        "|---|---|---|",
    ]
    for event in typing.get_args(events.Event):
        summary = " ".join((inspect.getdoc(event) or "").split())
        fields = ", ".join(f"`{name}`" for name in event.__struct_fields__)
        lines.append(f"| `{event.__name__}` | {summary} | {fields} |")
    return "\n".join(lines) + "\n"


PAGES = {"job-life.md": job_life, "events.md": event_table}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (HERE / name).write_text(write())
