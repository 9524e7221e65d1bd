"""docs/alerts.md, whose tables follow from the rules."""

import re

from prometheus.alerting.files import ALERTS
from prometheus.alerting.windows import LEAST, RATES

_PAGE = """\
# Alerts

The tables are made by `python -m prometheus.alerting`.

Rules for Prometheus are in `deploy/prometheus/rules/penstock.yaml`, and for its operator in
`deploy/prometheus/operator/prometheus-rule.yaml`. Both follow from `deploy/prometheus/alerting`;
`python -m prometheus.alerting --runbooks https://…/docs/runbooks` makes them again with links to where you
keep the pages.

All rules are one group: an alert then sees what was recorded for the same moment. Each alert has a severity,
`page` (now) or `ticket` (today), and a page that says what to look at and what to do. Each has a unit test in
`deploy/prometheus/tests`, in which it fires when it should and is silent when not (`promtool test rules`).

Scrape with `honor_labels: true`: our label `job` is the job's name, and dashboards rely on it.

| alert | severity | when | for |
|---|---|---|---|
{alerts}

## Recorded

| name | what it is |
|---|---|
{recordings}

## What they cannot see

- Facts about queues are told by one process at a time ([metrics](metrics.md)). When that one dies, they are
  missing until the next scrape of another; rules look at them with `max by (queue)`.
- A counter that is born above zero shows no increase. Those that alerts watch begin at 0, or their birth
  counts, so that a Prometheus without a past takes old counts for new ones, for 15 minutes. The first dead
  letters of a job in a new process are in no burn rate: `PenstockDeadLettersGrow` sees those.
- Burn rates need {least} misses in the long window: else one late job of three in an hour would page.
- A relay that has been gone for more than six hours is missed by nobody here.
"""
_WINDOWS = ", ".join(f"`{window}`" for window in RATES)
_RECORDED = {
    f"`penstock:queue_late:ratio_rate<window>` ({_WINDOWS})": (
        "attempts that started later than their queue promises, as a share of all that started"
    ),
    f"`penstock:queue_errors:ratio_rate<window>` ({_WINDOWS})": (
        "dead letters and expired jobs, as a share of all that ended but for cancelled ones"
    ),
    "`penstock:queue_late:budget_ratio`": "the share that may start late",
    "`penstock:queue_errors:budget_ratio`": "the share that may end without success",
    "`penstock:queue_work_seconds`": (
        "ready jobs times the mean run time of the last half hour (a second each where nothing ran): what "
        "autoscaling goes by"
    ),
}


def page() -> str:
    """The page."""
    alerts = [
        f"| [{alert.name}](runbooks/{alert.name}.md) | {alert.severity} | {_words(alert.summary)} "
        f"| {alert.lasts} |"
        for alert in ALERTS
    ]
    recordings = [f"| {name} | {text} |" for name, text in _RECORDED.items()]
    return _PAGE.format(alerts="\n".join(alerts), recordings="\n".join(recordings), least=LEAST)


def _words(template: str) -> str:
    """A summary without its templates: `{{ $labels.queue }}` is *queue*."""
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"*\1*", template)
