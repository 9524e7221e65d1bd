"""Everything on one page: is it well, and if not, where to look."""

from grafana.ask import quantile, rare, rate, told
from grafana.dashboard import Dashboard, Row
from grafana.panel import Query, number, series, table

_READY, _RUNNING, _SCHEDULED, _DEAD = (
    told(f'penstock_queue_jobs{{state="{state}"}}', "queue")
    for state in ("ready", "running", "scheduled", "dead")
)
_WORKERS = told("penstock_workers", "queue")

_NOW = Row(
    "Now",
    (
        number(
            "Alerts",
            'count(ALERTS{alertname=~"Penstock.*", alertstate="firing"}) or on () vector(0)',
            limit=1,
        ),
        number("Jobs ended", rate("penstock_jobs_finished_total"), "ops"),
        number("Ready", f"sum({_READY})"),
        number("Running", f"sum({_RUNNING})"),
        number("Oldest ready", 'max(penstock_queue_oldest_job_age_seconds{state="ready"})', "s", limit=900),
        number("Dead letters", f"sum({_DEAD})"),
        number("Queue leases", f"sum({_WORKERS})"),
        number("Redis answers", "min(penstock_store_up)"),
    ),
)
_JOBS = Row(
    "Jobs",
    (
        series(
            "Attempts ended",
            "ops",
            Query(rate("penstock_jobs_finished_total", "status"), "{{status}}"),
            stacked=True,
        ),
        series(
            "Waiting",
            "s",
            Query(quantile(0.5, "penstock_job_wait_seconds"), "half"),
            Query(quantile(0.99, "penstock_job_wait_seconds"), "99 %", exemplars=True),
            about="From due to the start. A dot is a job: click it for its trace.",
        ),
        series(
            "Running",
            "s",
            Query(quantile(0.5, "penstock_job_run_seconds"), "half"),
            Query(quantile(0.99, "penstock_job_run_seconds"), "99 %", exemplars=True),
        ),
        series("Submitted", "ops", Query(rate("penstock_jobs_enqueued_total", "queue"), "{{queue}}")),
        series(
            "Late, of what may be",
            "percentunit",
            Query(
                "penstock:queue_late:ratio_rate5m / on (queue) penstock:queue_late:budget_ratio", "{{queue}}"
            ),
            about="100 %: as many jobs start late as the objective of the queue allows.",
            limit=1,
        ),
        series(
            "Failed, of what may be",
            "percentunit",
            Query(
                "penstock:queue_errors:ratio_rate5m / on (queue) penstock:queue_errors:budget_ratio",
                "{{queue}}",
            ),
            about="100 %: as many jobs end without success as the objective of the queue allows.",
            limit=1,
        ),
    ),
)
_QUEUES = Row(
    "Queues",
    (
        table(
            "Queues",
            {
                "ready": _READY,
                "running": _RUNNING,
                "scheduled": _SCHEDULED,
                "dead": _DEAD,
                "oldest ready (s)": told('penstock_queue_oldest_job_age_seconds{state="ready"}', "queue"),
                "promised (s)": told("penstock_queue_objective_seconds", "queue"),
                "work (s)": "penstock:queue_work_seconds",
                "workers": _WORKERS,
                "slots": told("penstock_queue_slots", "queue"),
            },
        ),
    ),
)
_API = Row(
    "API",
    (
        series("Requests", "reqps", Query(rate("penstock_http_requests_total", "status"), "{{status}}")),
        series(
            "Answered within (99 %)",
            "s",
            Query(quantile(0.99, "penstock_http_request_seconds", "route"), "{{route}}", exemplars=True),
        ),
        series(
            "Refused (429), in 5 min",
            "short",
            Query(rare('penstock_http_requests_total{status="429"}'), "refused"),
        ),
    ),
)

DASHBOARD = Dashboard(
    "overview", "overview", "Is it well, and if not, where to look.", (_NOW, _JOBS, _QUEUES, _API)
)
