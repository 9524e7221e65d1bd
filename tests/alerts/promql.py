"""What Prometheus' own tool says of rules and expressions."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent

from prometheus.alerting.rule import Recording
from support.prometheus import tools


def promtool(*words: str | Path) -> str:
    """What it says; fails the test with that where it objects."""
    ran = subprocess.run(
        [tools() / "promtool", *words], capture_output=True, text=True, timeout=120, check=False
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    return said


def check_expressions(expressions: Sequence[str], folder: Path) -> None:
    """Each asks for metrics and labels that there are, and can be parsed: as rules, written to `folder`.

    Raises `UnknownMetric`.
    """
    rules = "\n".join(Recording(f"q:{n}", text).as_yaml() for n, text in enumerate(expressions))
    file = folder / "expressions.yaml"
    file.write_text("groups:\n- name: expressions\n  rules:\n" + indent(rules, "  ") + "\n")
    promtool("check", "rules", file)
