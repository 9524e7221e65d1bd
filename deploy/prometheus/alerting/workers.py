"""What happens to workers, to the API and to the store they share."""

from prometheus.alerting.rule import Alert, grew

RULES = [
    Alert(
        name="PenstockLeasesLost",
        expression="sum by (queue) (increase(penstock_lease_lost_total[15m])) > 0",
        severity="ticket",
        summary="Workers of queue {{ $labels.queue }} lose their leases",
        description="""
            {{ $value | humanize }} leases on queue {{ $labels.queue }} ended under living workers in the
            last 15 minutes; the jobs they held run a second time.""",
    ),
    Alert(
        name="PenstockWorkersDie",
        expression="""
            sum by (queue) (increase(penstock_jobs_reaped_total[15m])) > 0
            or sum by (instance) (increase(penstock_worker_process_restarts_total[15m])) > 2
            """,
        severity="ticket",
        summary="Workers end without giving back their jobs",
        description="""
            In the last 15 minutes {{ $value | humanize }}
            {{ if $labels.queue }}jobs of queue {{ $labels.queue }} were taken from workers that were
            gone.{{ else }}worker processes at {{ $labels.instance }} were started again.{{ end }}""",
    ),
    Alert(
        name="PenstockLoopsCrash",
        expression=grew("penstock_loop_crashes_total", "loop"),
        severity="ticket",
        summary="The worker's {{ $labels.loop }} crashes",
        description="""
            The {{ $labels.loop }} of workers crashed {{ $value | humanize }} times in the last 15 minutes:
            a defect of Penstock's own, or of a library.""",
    ),
    Alert(
        name="PenstockLoopLags",
        expression="""
            histogram_quantile(0.9, sum by (instance, le) (rate(penstock_loop_lag_seconds_bucket[10m])))
            > 0.25
            """,
        lasts="10m",
        severity="ticket",
        summary="The event loop of {{ $labels.instance }} is held up",
        description="""
            Every tenth look at the loop of {{ $labels.instance }} came more than
            {{ $value | humanizeDuration }} late: something blocks it, or it lacks a processor.""",
    ),
    Alert(
        name="PenstockStoreDown",
        expression="max(penstock_store_up) == 0",
        lasts="2m",
        severity="page",
        summary="No process reaches Redis",
        description="""
            For two minutes Redis has answered none of the processes that are scraped. Nothing is submitted,
            started or settled.""",
    ),
    Alert(
        name="PenstockRedisFilling",
        # Above 0.9 no jobs are taken in: see engine/penstock/engine/memory_watch.py.
        expression="max(penstock_redis_memory_ratio) > 0.8",
        lasts="5m",
        severity="ticket",
        summary="Redis is nearly full",
        description="""
            {{ $value | humanizePercentage }} of a Redis server's maxmemory are in use, and have been above
            80 % for five minutes. Above 90 % submissions are refused.""",
    ),
    Alert(
        name="PenstockRedisFull",
        expression=grew('penstock_redis_errors_total{error_type="StoreFull"}', "instance"),
        severity="page",
        summary="Redis has no memory left for {{ $labels.instance }}",
        description="""
            Redis refused {{ $value | humanize }} calls of {{ $labels.instance }} in the last 15 minutes: it
            is at its maxmemory, and what is running may not be settled.""",
    ),
    Alert(
        name="PenstockRedisReconnects",
        expression="sum by (instance) (increase(penstock_redis_reconnects_total[15m])) > 3",
        severity="ticket",
        summary="{{ $labels.instance }} keeps losing its connection to Redis",
        description="""
            {{ $labels.instance }} opened {{ $value | humanize }} connections in the last 15 minutes in the
            place of lost ones.""",
    ),
    Alert(
        name="PenstockApiFails",
        expression="""
            sum(rate(penstock_http_requests_total{status=~"5.."}[5m]))
            / (sum(rate(penstock_http_requests_total[5m])) > 0)
            > 0.05
            """,
        lasts="5m",
        severity="page",
        summary="The API fails",
        description="""
            {{ $value | humanizePercentage }} of the API's answers are 5xx; a 503 may be sent again, a 500
            is a defect.""",
    ),
]
