"""One queue: what waits in it, what it promises, who works on it."""

from grafana.ask import quantile, rate, told
from grafana.dashboard import Dashboard, Row, Variable
from grafana.panel import Query, number, series

_Q = 'queue="$queue"'

_PROMISE = Row(
    "What it promises",
    (
        number("To start within", f"max(penstock_queue_objective_seconds{{{_Q}}})", "s", width=4),
        number(
            "Share that does",
            f'max(penstock_queue_objective_ratio{{{_Q}, of="wait"}})',
            "percentunit",
            width=4,
        ),
        number("Late, last hour", f"penstock:queue_late:ratio_rate1h{{{_Q}}}", "percentunit", width=4),
        number(
            "Share that succeeds",
            f'max(penstock_queue_objective_ratio{{{_Q}, of="success"}})',
            "percentunit",
            width=4,
        ),
        number("Failed, last hour", f"penstock:queue_errors:ratio_rate1h{{{_Q}}}", "percentunit", width=4),
        number("Work waiting", f"penstock:queue_work_seconds{{{_Q}}}", "s", width=4),
    ),
)
_WAITING = Row(
    "What waits",
    (
        series(
            "Jobs",
            "short",
            Query(told(f"penstock_queue_jobs{{{_Q}}}", "state"), "{{state}}"),
            about="Dead letters are kept for 30 days.",
        ),
        series(
            "Oldest job",
            "s",
            Query(told(f"penstock_queue_oldest_job_age_seconds{{{_Q}}}", "state"), "{{state}}"),
            about="Scheduled: how long it is overdue.",
        ),
        series(
            "Waiting",
            "s",
            *(
                Query(
                    quantile(share, "penstock_job_wait_seconds", where=f"{{{_Q}}}"),
                    name,
                    exemplars=share == 0.99,
                )
                for share, name in ((0.5, "half"), (0.9, "90 %"), (0.99, "99 %"))
            ),
            Query(f"max(penstock_queue_objective_seconds{{{_Q}}})", "promised"),
        ),
        series(
            "Submitted",
            "ops",
            Query(rate(f"penstock_jobs_enqueued_total{{{_Q}}}", "job"), "{{job}}"),
            width=12,
        ),
        series("Started late", "ops", Query(rate(f"penstock_jobs_late_total{{{_Q}}}"), "late"), width=12),
    ),
)
_WORK = Row(
    "Who works on it",
    (
        series(
            "Started",
            "ops",
            Query(rate(f"penstock_jobs_started_total{{{_Q}}}", "job"), "{{job}}"),
            stacked=True,
        ),
        series(
            "Slots",
            "short",
            Query(f"max(penstock_queue_slots{{{_Q}}})", "slots"),
            Query(f'max(penstock_queue_jobs{{{_Q},state="running"}})', "running"),
        ),
        series("Ended", "ops", Query(rate(f"penstock_jobs_finished_total{{{_Q}}}", "status"), "{{status}}")),
        series(
            "Leases lost, jobs taken over",
            "short",
            Query(f"sum(increase(penstock_lease_lost_total{{{_Q}}}[5m]))", "leases lost"),
            Query(
                f"sum by (result) (increase(penstock_jobs_reaped_total{{{_Q}}}[5m]))",
                "taken over, {{result}}",
            ),
        ),
        series(
            "Given back, refused",
            "short",
            Query(
                f"sum(increase(penstock_jobs_released_total{{{_Q}}}[5m])) or on () vector(0)", "given back"
            ),
            Query(
                f"sum(increase(penstock_settlements_refused_total{{{_Q}}}[5m])) or on () vector(0)",
                "came too late",
            ),
        ),
        series(
            "Workers",
            "short",
            Query(f"max(penstock_workers{{{_Q}}})", "workers"),
        ),
    ),
)

DASHBOARD = Dashboard(
    "queue",
    "one queue",
    "What waits in a queue, what it promises, who works on it.",
    (_PROMISE, _WAITING, _WORK),
    (Variable("queue", "penstock_queue_jobs"),),
)
