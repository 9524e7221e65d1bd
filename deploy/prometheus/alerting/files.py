"""The files that follow from the rules."""

from textwrap import indent

from prometheus.alerting import intake, parts, promises, queues, telemetry, workers
from prometheus.alerting.rule import Alert, Recording

RUNBOOKS = "docs/runbooks"
"""Where the pages are, unless said otherwise: in this repository."""
MADE = "# Made by `python -m prometheus.alerting` from deploy/prometheus/alerting; edit there.\n"
RULES: list[Recording | Alert] = [
    *promises.RULES,
    *queues.RULES,
    *workers.RULES,
    *parts.RULES,
    *intake.RULES,
    *telemetry.RULES,
]
ALERTS = [rule for rule in RULES if isinstance(rule, Alert)]
RECORDINGS = [rule for rule in RULES if isinstance(rule, Recording)]

_OPERATOR = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: penstock
  namespace: penstock
  labels:
    app.kubernetes.io/name: penstock
    app.kubernetes.io/part-of: penstock
spec:
"""


def group(runbooks: str) -> str:
    """All rules, as the one group of a rule file."""
    rules = [rule.as_yaml(runbooks) if isinstance(rule, Alert) else rule.as_yaml() for rule in RULES]
    return "groups:\n  - name: penstock\n    rules:\n" + indent("\n\n".join(rules), "      ") + "\n"


def rule_file(runbooks: str = RUNBOOKS) -> str:
    """What Prometheus reads."""
    return MADE + group(runbooks)


def operator_rule(runbooks: str = RUNBOOKS) -> str:
    """What Prometheus' operator reads."""
    return MADE + _OPERATOR + indent(group(runbooks), "  ")
