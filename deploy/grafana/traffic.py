"""What comes and goes beside jobs: events, cached values, requests, schedules, tokens."""

from grafana.ask import quantile, rare, rate, told
from grafana.dashboard import Row
from grafana.panel import Query, series

_BUS = Row(
    "Bus",
    (
        series(
            "Published",
            "ops",
            Query(rate("penstock_bus_published_total", "topic, result"), "{{topic}} {{result}}"),
        ),
        series("Received", "ops", Query(rate("penstock_bus_received_total", "topic, group"), "{{group}}")),
        series(
            "Handed over",
            "ops",
            Query(rate("penstock_bus_dispatched_total", "handler, result"), "{{handler}} {{result}}"),
        ),
        series(
            "Behind", "short", Query(told("penstock_bus_lag_events", "topic, group"), "{{topic}} {{group}}")
        ),
        series(
            "Lost, in 5 min",
            "short",
            Query(rare("penstock_bus_set_aside_total", "topic"), "set aside {{topic}}"),
            Query(rare("penstock_bus_dropped_unread_total", "topic"), "unread {{topic}}"),
        ),
        series(
            "Errors, in 5 min",
            "short",
            Query(rare("penstock_bus_errors_total", "error_type"), "{{error_type}}"),
        ),
    ),
)
_CACHE = Row(
    "Cache",
    (
        series(
            "Reads", "ops", Query(rate("penstock_cache_reads_total", "result"), "{{result}}"), stacked=True
        ),
        series("Loads", "ops", Query(rate("penstock_cache_loads_total", "result"), "{{result}}")),
        series(
            "A load takes (99 %)",
            "s",
            Query(quantile(0.99, "penstock_cache_load_seconds", "module"), "{{module}}"),
        ),
        series(
            "Waiting for others' loads, at once",
            "short",
            Query(
                "sum by (where) (rate(penstock_cache_wait_seconds_sum[5m])) or on () vector(0)", "{{where}}"
            ),
        ),
        series("Kept in processes", "bytes", Query("sum(penstock_cache_local_bytes)", "bytes")),
        series(
            "Left, failed, in 5 min",
            "short",
            Query(rare("penstock_cache_evictions_total", "reason"), "{{reason}}"),
            Query(rare("penstock_cache_errors_total", "command"), "failed {{command}}"),
        ),
    ),
)
_OUTGOING = Row(
    "Outgoing HTTP",
    (
        series(
            "Attempts",
            "reqps",
            Query(rate("penstock_http_client_seconds_count", "host, status"), "{{host}} {{status}}"),
        ),
        series(
            "Answered within (99 %)",
            "s",
            Query(quantile(0.99, "penstock_http_client_seconds", "host"), "{{host}}"),
        ),
        series(
            "Sent again, in 5 min",
            "short",
            Query(rare("penstock_http_client_retries_total", "host"), "{{host}}"),
        ),
        series(
            "Circuits that are not closed",
            "short",
            Query(
                "sum by (host, state) (penstock_http_client_circuit) or on () vector(0)", "{{host}} {{state}}"
            ),
        ),
    ),
)
_SCHEDULES = Row(
    "Schedules",
    (
        series(
            "Jobs that came, in 5 min",
            "short",
            Query(rare("penstock_schedule_fired_total", "job"), "{{job}}"),
        ),
        series(
            "Moments without a job, in 5 min",
            "short",
            Query(rare("penstock_schedule_skipped_total", "job, reason"), "{{job}} {{reason}}"),
        ),
        series(
            "Late by (99 %)",
            "s",
            Query(quantile(0.99, "penstock_schedule_lateness_seconds", "job"), "{{job}}"),
        ),
    ),
)
_TOKENS = Row(
    "Who may call the API",
    (
        series(
            "Refused, in 5 min",
            "short",
            Query(rare("penstock_api_refusals_total", "reason"), "{{reason}}"),
            width=12,
        ),
        series(
            "Tokens",
            "short",
            Query("max by (instance) (penstock_api_tokens) or on () vector(0)", "{{instance}}"),
            Query(
                "max by (instance) (penstock_api_tokens_stale) or on () vector(0)", "unreadable {{instance}}"
            ),
            width=12,
        ),
    ),
)

ROWS = (_BUS, _CACHE, _OUTGOING, _SCHEDULES, _TOKENS)
