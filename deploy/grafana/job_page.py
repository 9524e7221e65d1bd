"""One job: how often, how long, how it ends; and its lines."""

from grafana.ask import mean, quantile, rate
from grafana.dashboard import Dashboard, Row, Variable
from grafana.panel import Query, logs, number, series

_J = 'queue=~"$queue", job="$job"'

_ENDED = rate(f"penstock_jobs_finished_total{{{_J}}}")
_SUCCEEDED = rate(f'penstock_jobs_finished_total{{{_J}, status="succeeded"}}')

_ENDS = Row(
    "How it goes",
    (
        number("Attempts", rate(f"penstock_jobs_started_total{{{_J}}}"), "ops", width=6),
        number(
            "Attempts that succeed",
            f"{_SUCCEEDED} / {_ENDED}",
            "percentunit",
            width=6,
        ),
        number("Mean run time", mean("penstock_job_run_seconds", "job", f"{{{_J}}}"), "s", width=6),
        number("Mean wait", mean("penstock_job_wait_seconds", "job", f"{{{_J}}}"), "s", width=6),
        series(
            "Ended",
            "ops",
            Query(rate(f"penstock_jobs_finished_total{{{_J}}}", "status"), "{{status}}"),
            stacked=True,
        ),
        series(
            "Running",
            "s",
            *(
                Query(
                    quantile(share, "penstock_job_run_seconds", where=f"{{{_J}}}"),
                    name,
                    exemplars=share == 0.99,
                )
                for share, name in ((0.5, "half"), (0.9, "90 %"), (0.99, "99 %"))
            ),
            about="A dot is an attempt: click it for its trace.",
        ),
        series(
            "Waiting",
            "s",
            *(
                Query(
                    quantile(share, "penstock_job_wait_seconds", where=f"{{{_J}}}"),
                    name,
                    exemplars=share == 0.99,
                )
                for share, name in ((0.5, "half"), (0.9, "90 %"), (0.99, "99 %"))
            ),
        ),
        series(
            "Submitted",
            "ops",
            Query(rate(f"penstock_jobs_enqueued_total{{{_J}}}", "duplicate"), "duplicate: {{duplicate}}"),
            width=12,
        ),
        series(
            "Slots it takes",
            "short",
            Query(rate(f"penstock_job_run_seconds_sum{{{_J}}}"), "running at once, on the mean"),
            about="Seconds run in a second.",
            width=12,
        ),
    ),
)
_LINES = Row(
    "Its lines",
    (
        logs(
            "Failed attempts", '{service_name="penstock-worker"} | json | job="$job" | outcome=~"retry|dead"'
        ),
    ),
)

DASHBOARD = Dashboard(
    "job",
    "one job",
    "How often a job runs, how long, and how it ends.",
    (_ENDS, _LINES),
    (
        Variable("queue", "penstock_jobs_started_total", everything=True),
        Variable("job", 'penstock_jobs_started_total{queue=~"$queue"}'),
    ),
)
