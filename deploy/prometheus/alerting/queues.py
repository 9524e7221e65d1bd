"""What happens to queues, promised or not."""

from prometheus.alerting.rule import Alert

OLDEST = 10
"""Times its promise that the oldest ready job of a queue has waited: the budget says that many are late, this
says that one is forgotten, as a tenant or a low priority can be."""
UNPROMISED = 900
"""Seconds, where a queue promises nothing."""

RULES = [
    Alert(
        name="PenstockQueueStalled",
        # All slots taken by long jobs is no standstill; the age of the oldest job tells of that.
        expression="""
            max by (queue) (penstock_queue_jobs{state="ready"}) > 0
            and on (queue) (
              max by (queue) (penstock_queue_jobs{state="running"})
              < on (queue) max by (queue) (penstock_queue_slots)
            )
            unless on (queue) sum by (queue) (rate(penstock_jobs_started_total[5m])) > 0
            """,
        lasts="10m",
        severity="page",
        summary="Queue {{ $labels.queue }} stands still",
        description="""
            {{ $value }} jobs of queue {{ $labels.queue }} are ready and workers have slots free, but no
            attempt has started for more than ten minutes.""",
    ),
    Alert(
        name="PenstockNoWorkers",
        expression="""
            sum by (queue) (max by (queue, state) (penstock_queue_jobs{state=~"ready|scheduled"})) > 0
            and on (queue) max by (queue) (penstock_workers) == 0
            """,
        lasts="5m",
        severity="page",
        summary="Queue {{ $labels.queue }} has jobs and no worker",
        description="""
            {{ $value }} jobs wait in queue {{ $labels.queue }}, and no worker has held a lease on it for
            five minutes.""",
    ),
    Alert(
        name="PenstockOldestJobWaits",
        expression=f"""
            max by (queue) (penstock_queue_oldest_job_age_seconds{{state="ready"}})
            > on (queue) {OLDEST} * max by (queue) (penstock_queue_objective_seconds)
            or on (queue)
            max by (queue) (penstock_queue_oldest_job_age_seconds{{state="ready"}})
            > {UNPROMISED} unless on (queue) penstock_queue_objective_seconds
            """,
        lasts="5m",
        severity="ticket",
        summary="A job of queue {{ $labels.queue }} waits far too long",
        description=f"""
            The oldest ready job of queue {{{{ $labels.queue }}}} has waited for
            {{{{ $value | humanizeDuration }}}}: more than {OLDEST} times what the queue promises, or than
            {UNPROMISED // 60} minutes where it promises nothing.""",
    ),
    Alert(
        name="PenstockJobsOverdue",
        expression="""
            max by (queue) (penstock_queue_oldest_job_age_seconds{state="scheduled"}) > 60
            """,
        lasts="5m",
        severity="ticket",
        summary="Scheduled jobs of queue {{ $labels.queue }} do not become ready",
        description="""
            A scheduled job of queue {{ $labels.queue }} is overdue by {{ $value | humanizeDuration }}; a
            worker makes them ready within a second.""",
    ),
    Alert(
        name="PenstockDeadLettersGrow",
        expression="""
            max by (queue) (penstock_queue_jobs{state="dead"})
            - on (queue) max by (queue) (penstock_queue_jobs{state="dead"} offset 30m)
            > 0
            """,
        severity="ticket",
        summary="Queue {{ $labels.queue }} has new dead letters",
        description="""
            {{ $value }} more dead letters in queue {{ $labels.queue }} than half an hour ago.""",
    ),
    Alert(
        name="PenstockSubmissionsRefused",
        expression="""
            sum by (route) (rate(penstock_http_requests_total{status="429"}[5m])) > 0
            """,
        lasts="5m",
        severity="ticket",
        summary="The API refuses jobs because a queue or Redis is full",
        description="""
            {{ $value | humanize }} requests a second to {{ $labels.route }} are answered with 429: a queue
            has reached --max-waiting, or Redis nine tenths of its maxmemory.""",
    ),
]
