"""What telemetry says of itself, and that it says anything at all."""

from prometheus.alerting.rule import Alert, grew

RULES = [
    Alert(
        name="PenstockTelemetryDropped",
        expression=grew("penstock_telemetry_dropped_total", "signal, reason"),
        severity="ticket",
        summary="{{ $labels.signal }} are lost",
        description="""
            {{ $value | humanize }} {{ $labels.signal }} were dropped in the last 15 minutes
            ({{ $labels.reason }}). Jobs are not held up by it; whoever looks for them finds gaps.""",
    ),
    Alert(
        name="PenstockObserverDropped",
        # It stays dropped until the process ends, and so does this.
        expression="sum by (instance, observer) (penstock_telemetry_observers_dropped_total) > 0",
        severity="ticket",
        summary="An observer at {{ $labels.instance }} raised and was dropped",
        description="""
            Until the process starts again, {{ $labels.observer }} hears of nothing; if it is one of
            Penstock's own, logs, metrics or traces of that process have ended.""",
    ),
    Alert(
        name="PenstockTargetDown",
        expression="""
            up == 0
            and on (job, instance) max by (job, instance) (max_over_time(penstock_build_info[1h]))
            """,
        lasts="5m",
        severity="ticket",
        summary="{{ $labels.instance }} does not answer scrapes",
        description="""
            Prometheus knows {{ $labels.instance }} and has not been answered by it for five minutes.""",
    ),
    Alert(
        name="PenstockMetricsAbsent",
        expression="absent(penstock_build_info)",
        lasts="5m",
        severity="page",
        summary="No Penstock process is scraped",
        description="""
            For five minutes Prometheus has had no metric of any Penstock process. No other alert of
            Penstock can fire.""",
    ),
    Alert(
        name="PenstockQueueFactsAbsent",
        expression="absent(penstock_workers) and on () max(penstock_store_up) == 1",
        lasts="10m",
        severity="ticket",
        summary="No process tells about the queues",
        description="""
            Processes are scraped and Redis answers them, yet none has told for ten minutes what is in the
            queues: alerts on ages, standstills and missing workers cannot fire.""",
    ),
]
