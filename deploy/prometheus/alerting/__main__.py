"""`python -m prometheus.alerting [--runbooks URL]`: write the rule files and docs/alerts.md."""

from argparse import ArgumentParser
from pathlib import Path

from prometheus.alerting.files import RUNBOOKS, operator_rule, rule_file
from prometheus.alerting.page import page

ROOT = Path(__file__).parents[3]


def main() -> None:
    """Write them where they belong."""
    parser = ArgumentParser(prog="python -m prometheus.alerting")
    parser.add_argument(
        "--runbooks", default=RUNBOOKS, help="where docs/runbooks can be read, without a slash behind"
    )
    runbooks = parser.parse_args().runbooks
    folder = ROOT / "deploy" / "prometheus"
    (folder / "rules" / "penstock.yaml").write_text(rule_file(runbooks))
    (folder / "operator" / "prometheus-rule.yaml").write_text(operator_rule(runbooks))
    (ROOT / "docs" / "alerts.md").write_text(page())


if __name__ == "__main__":
    main()
