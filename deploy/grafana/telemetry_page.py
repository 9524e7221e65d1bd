"""Telemetry itself: what it loses, holds back and costs."""

from grafana.ask import quantile, rare, rate
from grafana.dashboard import Dashboard, Row
from grafana.panel import Query, series

_SIGNALS = Row(
    "Spans and lines",
    (
        series(
            "Spans taken by collectors",
            "ops",
            Query(rate("penstock_telemetry_spans_exported_total"), "spans"),
        ),
        series(
            "Waiting to be sent", "short", Query("sum by (signal) (penstock_telemetry_queue)", "{{signal}}")
        ),
        series("Oldest waiting span", "s", Query("max(penstock_telemetry_export_lag_seconds)", "oldest")),
        series(
            "Dropped, in 5 min",
            "short",
            Query(
                "sum by (signal, reason) (increase(penstock_telemetry_dropped_total[5m]))",
                "{{signal}}: {{reason}}",
            ),
        ),
        series(
            "Observers dropped",
            "short",
            Query(
                "sum by (observer) (penstock_telemetry_observers_dropped_total) or on () vector(0)",
                "{{observer}}",
            ),
        ),
        series("Loop lag (99 %)", "s", Query(quantile(0.99, "penstock_loop_lag_seconds", "job"), "{{job}}")),
    ),
)
_SCRAPES = Row(
    "Metrics",
    (
        series("A scrape takes", "s", Query("max by (step) (penstock_telemetry_scrape_seconds)", "{{step}}")),
        series(
            "Prometheus waits for it",
            "s",
            Query("max by (job) (scrape_duration_seconds and on (instance) penstock_build_info)", "{{job}}"),
        ),
        series(
            "Samples of a scrape",
            "short",
            Query("max by (job) (scrape_samples_scraped and on (instance) penstock_build_info)", "{{job}}"),
        ),
        series(
            "Samples under __other__, in 5 min",
            "short",
            Query(rare("penstock_telemetry_label_overflow_total", "metric"), "{{metric}}"),
            about="A metric has more series than it may have.",
        ),
        series("Processes scraped", "short", Query("count by (job) (penstock_build_info)", "{{job}}")),
        series("Redis answers", "short", Query("min by (job) (penstock_store_up)", "{{job}}")),
    ),
)

DASHBOARD = Dashboard(
    "telemetry", "telemetry", "What telemetry loses, holds back and costs.", (_SIGNALS, _SCRAPES)
)
