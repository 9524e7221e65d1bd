"""Two kinds of rules, and how they are written down."""

import json
from textwrap import dedent, indent
from typing import Literal

import msgspec

from prometheus.alerting.catalogue import check_names

Severity = Literal["page", "ticket"]
"""Wake somebody, or let it wait for the morning."""


class Recording(msgspec.Struct, frozen=True):
    """A value that Prometheus computes each time, for other rules, dashboards and autoscaling."""

    name: str
    expression: str

    def as_yaml(self) -> str:
        """The rule as an item of a list."""
        return f"- record: {self.name}\n{_block('expr', self.expression)}"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody has to look at; `docs/runbooks/<name>.md` says how."""

    name: str
    expression: str
    lasts: str = "0m"
    """How long it has to be true."""
    severity: Severity
    summary: str
    description: str
    """With the values that matter; templates as Prometheus knows them."""

    def as_yaml(self, runbooks: str) -> str:
        """The rule as an item of a list; `runbooks` is where the pages are, without a slash at its end."""
        annotations = {
            "summary": self.summary,
            "description": " ".join(self.description.split()),
            "runbook_url": f"{runbooks}/{self.name}.md",
        }
        return "\n".join(
            [
                f"- alert: {self.name}",
                _block("expr", self.expression),
                f"  for: {self.lasts}",
                "  labels:",
                f"    severity: {self.severity}",
                "  annotations:",
                *(
                    f"    {name}: {json.dumps(text, ensure_ascii=False)}"
                    for name, text in annotations.items()
                ),
            ]
        )


def grew(metric: str, by: str) -> str:
    """By how much a counter grew in 15 minutes, where it did, one that was born meanwhile included.

    A series whose labels nobody can know before (an error's class, a loop's name) begins at its first count,
    in which Prometheus sees no increase.
    """
    return f"""
        sum by ({by}) (
          increase({metric}[15m]) > 0
          or ({metric} > 0 unless {metric} offset 15m)
        )
        """


def _block(key: str, expression: str) -> str:
    """A literal block: an expression is read as it was written."""
    text = check_names(dedent(expression).strip())
    return f"  {key}: |\n{indent(text, '    ')}"
