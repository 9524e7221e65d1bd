"""How jobs come in, beside being submitted: the SQL outbox, schedules; and who may submit."""

from prometheus.alerting.rule import Alert, grew

RULES = [
    Alert(
        name="PenstockOutboxBehind",
        expression="max(penstock_sql_outbox_lag_seconds) > 300",
        lasts="5m",
        severity="ticket",
        summary="Jobs wait in the SQL outbox",
        description="""
            The oldest job in the SQL outbox has waited for {{ $value | humanizeDuration }} to be moved to the
            broker; a relay moves them within a second or so.""",
    ),
    Alert(
        name="PenstockOutboxGone",
        # Only relays tell of the outbox. Where none was seen nobody can know that there is one.
        expression="""
            max(max_over_time(penstock_sql_outbox_lag_seconds[6h]))
            unless on () penstock_sql_outbox_lag_seconds
            """,
        lasts="10m",
        severity="ticket",
        summary="No relay serves the SQL outbox",
        description="""
            In the last six hours a relay served the SQL outbox, and for ten minutes none has told of it. Jobs
            that applications submit in their transactions wait in the database, and nobody says how many.""",
    ),
    Alert(
        name="PenstockOutboxSetAside",
        expression=grew("penstock_sql_outbox_set_aside_total", "reason"),
        severity="ticket",
        summary="Jobs in the SQL outbox cannot be moved",
        description="""
            {{ $value | humanize }} rows of the SQL outbox were set aside in the last 15 minutes
            ({{ $labels.reason }}). They stay there until somebody decides.""",
    ),
    Alert(
        name="PenstockScheduleMissed",
        expression=grew('penstock_schedule_skipped_total{reason=~"missed|full"}', "job, reason"),
        severity="ticket",
        summary="Job {{ $labels.job }} did not come when it was due",
        description="""
            {{ $value | humanize }} moments of schedules of job {{ $labels.job }} passed without a job of
            their own in the last 15 minutes ({{ $labels.reason }}).""",
    ),
    Alert(
        name="PenstockTokensStale",
        expression="max by (instance) (penstock_api_tokens_stale) > 0",
        lasts="10m",
        severity="ticket",
        summary="{{ $labels.instance }} cannot read its file of tokens",
        description="""
            For ten minutes {{ $labels.instance }} has not been able to read its file of tokens: those read
            before stay valid, also such as were withdrawn since.""",
    ),
]
