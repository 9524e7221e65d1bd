"""Where things are kept, as processes see it: Redis, relays, the history, the SQL outbox."""

from grafana.ask import quantile, rare, rate, told
from grafana.dashboard import Row
from grafana.panel import Query, series

_REDIS = Row(
    "Redis, as processes see it",
    (
        series(
            "Calls", "ops", Query(rate("penstock_redis_command_seconds_count", "operation"), "{{operation}}")
        ),
        series(
            "Answered within (99 %)",
            "s",
            Query(quantile(0.99, "penstock_redis_command_seconds", "operation"), "{{operation}}"),
        ),
        series("Connections", "short", Query("sum by (state) (penstock_redis_connections)", "{{state}}")),
        series(
            "Of its memory in use",
            "percentunit",
            Query(told("penstock_redis_memory_ratio", "queue"), "{{queue}}"),
            about="Of maxmemory, on the server of each queue. Above 90 % submissions are refused.",
        ),
        series(
            "Errors, in 5 min",
            "short",
            Query(rare("penstock_redis_errors_total", "error_type"), "{{error_type}}"),
        ),
        series(
            "Reconnected, in 5 min",
            "short",
            Query("sum(increase(penstock_redis_reconnects_total[5m]))", "times"),
        ),
    ),
)
_RELAYS = Row(
    "Relays",
    (
        series(
            "Endings behind",
            "short",
            Query(told("penstock_relay_lag_entries", "sink, queue"), "{{sink}} {{queue}}"),
        ),
        series(
            "Oldest of them",
            "s",
            Query(told("penstock_relay_lag_seconds", "sink, queue"), "{{sink}} {{queue}}"),
        ),
        series("Endings taken", "ops", Query(rate("penstock_relay_endings_total", "sink"), "{{sink}}")),
        series(
            "Batches not taken, in 5 min",
            "short",
            Query(rare("penstock_relay_errors_total", "sink"), "{{sink}}"),
        ),
        series(
            "Set aside, in 5 min", "short", Query(rare("penstock_events_dropped_total", "sink"), "{{sink}}")
        ),
    ),
)
_HISTORY = Row(
    "History",
    (
        series("Endings written", "ops", Query(rate("penstock_history_endings_total", "state"), "{{state}}")),
        series(
            "Operations take (99 %)",
            "s",
            Query(quantile(0.99, "penstock_history_operation_seconds", "operation"), "{{operation}}"),
        ),
        series(
            "Connections", "short", Query("sum by (state) (penstock_history_pool_connections)", "{{state}}")
        ),
        series(
            "Waited in vain, in 5 min", "short", Query(rare("penstock_history_pool_timeouts_total"), "times")
        ),
        series(
            "Errors, in 5 min",
            "short",
            Query(rare("penstock_history_errors_total", "operation"), "{{operation}}"),
        ),
        series(
            "Removed for their age",
            "short",
            Query(rare("penstock_history_purged_jobs_total", "state"), "{{state}}"),
        ),
    ),
)
_OUTBOX = Row(
    "SQL outbox",
    (
        series("Rows", "short", Query("max by (state) (penstock_sql_outbox_rows)", "{{state}}")),
        series("Oldest that waits", "s", Query("max(penstock_sql_outbox_lag_seconds)", "oldest")),
        series(
            "Moved, in 5 min",
            "short",
            Query(rare("penstock_sql_outbox_moved_total", "queue, result"), "{{queue}} {{result}}"),
            Query(rare("penstock_sql_outbox_set_aside_total", "reason"), "set aside {{reason}}"),
        ),
        series(
            "Operations take (99 %)",
            "s",
            Query(quantile(0.99, "penstock_sql_outbox_operation_seconds", "operation"), "{{operation}}"),
        ),
        series(
            "Connections",
            "short",
            Query("sum by (state) (penstock_sql_outbox_pool_connections)", "{{state}}"),
        ),
        series(
            "Trouble, in 5 min",
            "short",
            Query(rare("penstock_sql_outbox_errors_total", "operation"), "failed {{operation}}"),
            Query(rare("penstock_sql_outbox_pool_timeouts_total"), "waited in vain"),
        ),
    ),
)

ROWS = (_REDIS, _RELAYS, _HISTORY, _OUTBOX)
