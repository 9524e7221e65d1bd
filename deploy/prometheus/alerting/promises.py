"""Objectives of queues: what is recorded of them, and when their budgets burn."""

from prometheus.alerting.rule import Alert, Recording
from prometheus.alerting.windows import BURNS, LEAST, RATES, Burn

_MISSED_END = (
    'rate(penstock_jobs_finished_total{{status=~"dead|expired"}}[{window}]) '
    'or rate(penstock_jobs_reaped_total{{result="dead"}}[{window}])'
)
_EVERY_END = (
    'rate(penstock_jobs_finished_total{{status=~"succeeded|dead|expired"}}[{window}]) '
    'or rate(penstock_jobs_reaped_total{{result="dead"}}[{window}])'
)


def _shares() -> list[Recording]:
    made: list[Recording] = []
    for window in RATES:
        missed, every = _MISSED_END.format(window=window), _EVERY_END.format(window=window)
        made += [
            Recording(
                f"penstock:queue_late:ratio_rate{window}",
                f"""
                sum by (queue) (rate(penstock_jobs_late_total[{window}]))
                / (sum by (queue) (rate(penstock_jobs_started_total[{window}])) > 0)
                """,
            ),
            Recording(
                f"penstock:queue_errors:ratio_rate{window}",
                f"""
                sum by (queue) ({missed})
                / (sum by (queue) ({every}) > 0)
                """,
            ),
        ]
    return made


_BUDGETS = [
    Recording(
        "penstock:queue_late:budget_ratio", '1 - max by (queue) (penstock_queue_objective_ratio{of="wait"})'
    ),
    Recording(
        "penstock:queue_errors:budget_ratio",
        '1 - max by (queue) (penstock_queue_objective_ratio{of="success"})',
    ),
]

_WORK = Recording(
    # What autoscaling goes by. A queue that nothing has run in for half an hour counts each job as a second,
    # or it would never get its first worker.
    "penstock:queue_work_seconds",
    """
    max by (queue) (penstock_queue_jobs{state="ready"})
    * on (queue) (
      sum by (queue) (rate(penstock_job_run_seconds_sum[30m]))
      / (sum by (queue) (rate(penstock_job_run_seconds_count[30m])) > 0)
    )
    or on (queue) max by (queue) (penstock_queue_jobs{state="ready"})
    """,
)


def _burning(what: str, burn: Burn, missed: str) -> str:
    ratio, budget = f"penstock:queue_{what}:ratio_rate", f"penstock:queue_{what}:budget_ratio"
    return f"""
        {ratio}{burn.long} > on (queue) {burn.factor} * {budget}
        and on (queue) {ratio}{burn.short} > on (queue) {burn.factor} * {budget}
        and on (queue) sum by (queue) ({missed}) >= {LEAST}
        """


def _late(burn: Burn) -> Alert:
    return Alert(
        name=f"PenstockWaitBudgetBurns{burn.suffix}",
        expression=_burning("late", burn, f"increase(penstock_jobs_late_total[{burn.long}])"),
        lasts=burn.lasts,
        severity=burn.severity,
        summary="Jobs of queue {{ $labels.queue }} start later than it promises",
        description=f"""
            {{{{ $value | humanizePercentage }}}} of the attempts of the last {burn.long} on queue
            {{{{ $labels.queue }}}} started late; {_of("late")} may, and {burn.meaning}.""",
    )


def _failing(burn: Burn) -> Alert:
    missed = _MISSED_END.format(window=burn.long).replace("rate(", "increase(")
    return Alert(
        name=f"PenstockErrorBudgetBurns{burn.suffix}",
        expression=_burning("errors", burn, missed),
        lasts=burn.lasts,
        severity=burn.severity,
        summary="Jobs of queue {{ $labels.queue }} end without success",
        description=f"""
            {{{{ $value | humanizePercentage }}}} of the jobs that ended in the last {burn.long} on queue
            {{{{ $labels.queue }}}} are dead letters or expired; {_of("errors")} may be, and
            {burn.meaning}.""",
    )


def _of(what: str) -> str:
    """A template that shows what the queue's objective allows."""
    asked = f"printf \"penstock:queue_{what}:budget_ratio{{queue='%s'}}\" $labels.queue | query"
    return f"{{{{ with {asked} }}}}{{{{ . | first | value | humanizePercentage }}}}{{{{ end }}}}"


RULES: list[Recording | Alert] = [*_shares(), *_BUDGETS, _WORK, *map(_late, BURNS), *map(_failing, BURNS)]
