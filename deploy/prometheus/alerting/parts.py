"""What stands beside the worker: relays, the bus, the cache, the history, outgoing requests."""

from prometheus.alerting.rule import Alert, grew

RULES = [
    Alert(
        name="PenstockRelayBehind",
        expression="max by (sink, queue) (penstock_relay_lag_seconds) > 300",
        lasts="5m",
        severity="ticket",
        summary="Sink {{ $labels.sink }} is behind on queue {{ $labels.queue }}",
        description="""
            The oldest ending of queue {{ $labels.queue }} that sink {{ $labels.sink }} has not taken is
            {{ $value | humanizeDuration }} old. Endings wait in Redis; when they are too many, the queue
            takes no more jobs.""",
    ),
    Alert(
        name="PenstockRelayGone",
        expression="""
            max by (sink, queue) (max_over_time(penstock_relay_lag_entries[6h]))
            unless on (sink, queue) penstock_relay_lag_entries
            """,
        lasts="10m",
        severity="ticket",
        summary="Nobody relays queue {{ $labels.queue }} to sink {{ $labels.sink }}",
        description="""
            In the last six hours a relay served sink {{ $labels.sink }} for queue {{ $labels.queue }}, and
            for ten minutes none has. Until one does, or the sink is forgotten, endings pile up in Redis.""",
    ),
    Alert(
        name="PenstockEndingsSetAside",
        expression=grew("penstock_events_dropped_total", "sink"),
        severity="ticket",
        summary="A relay set endings aside that it cannot read",
        description="""
            {{ $value | humanize }} endings for sink {{ $labels.sink }} were set aside in the last 15
            minutes. The last hundred of a queue are kept.""",
    ),
    Alert(
        name="PenstockBusBehind",
        expression="""
            max by (topic, group) (penstock_bus_lag_events) > 1000
            and on (topic, group) max by (topic, group) (min_over_time(penstock_bus_lag_events[15m])) > 0
            """,
        lasts="15m",
        severity="ticket",
        summary="Handler {{ $labels.group }} is behind on topic {{ $labels.topic }}",
        description="""
            {{ $value }} events of topic {{ $labels.topic }} wait for {{ $labels.group }}, and for half an
            hour it has not caught up once.""",
    ),
    Alert(
        name="PenstockEventsLost",
        expression=(
            grew("penstock_bus_set_aside_total", "topic")
            + "or"
            + grew("penstock_bus_dropped_unread_total", "topic")
        ),
        severity="ticket",
        summary="Events of topic {{ $labels.topic }} became no jobs",
        description="""
            {{ $value | humanize }} events of topic {{ $labels.topic }} were set aside, or left a full topic
            unread, in the last 15 minutes.""",
    ),
    Alert(
        name="PenstockCacheFails",
        expression="""
            sum by (module) (rate(penstock_cache_reads_total{result="error"}[5m]))
            / (sum by (module) (rate(penstock_cache_reads_total[5m])) > 0)
            > 0.05
            """,
        lasts="10m",
        severity="ticket",
        summary="The cache does not answer module {{ $labels.module }}",
        description="""
            {{ $value | humanizePercentage }} of what module {{ $labels.module }} reads from the cache
            fails; its jobs load each time instead.""",
    ),
    Alert(
        name="PenstockHistoryFails",
        expression="sum by (operation) (rate(penstock_history_errors_total[5m])) > 0",
        lasts="10m",
        severity="ticket",
        summary="The history's database does not {{ $labels.operation }}",
        description="""
            {{ $value | humanize }} times a second the history cannot {{ $labels.operation }}. Endings wait
            in Redis meanwhile; searches are answered with 503.""",
    ),
    Alert(
        name="PenstockCircuitOpen",
        expression='sum by (host) (penstock_http_client_circuit{state="open"}) > 0',
        lasts="15m",
        severity="ticket",
        summary="Requests to {{ $labels.host }} are not sent",
        description="""
            {{ $value }} processes have not sent requests to {{ $labels.host }} for 15 minutes, because
            those before failed; jobs that need it fail and are tried again.""",
    ),
]
