"""The metrics, by Prometheus' query API."""

from verify.asking import until
from verify.stage import Stage
from verify.steps.submitting import JOURNEYS

TRAVEL = '{job="journey.travel",module="journey",queue="default"}'
WANTED = {
    f"sum(penstock_jobs_enqueued_total{TRAVEL})": JOURNEYS,
    f"sum(penstock_jobs_started_total{TRAVEL})": JOURNEYS,
    'sum(penstock_jobs_finished_total{job="journey.travel",status="succeeded"})': JOURNEYS,
    f"sum(penstock_job_wait_seconds_count{TRAVEL})": JOURNEYS,
    'sum(penstock_job_run_seconds_bucket{job="journey.travel",le="+Inf"})': JOURNEYS,
    'sum(penstock_http_requests_total{method="POST",route="/v1/jobs",status="202"})': JOURNEYS,
    'sum(penstock_bus_published_total{topic="journeys.ended",result="published"})': JOURNEYS,
    # A bus may give an event again; the job that it became is known by its id, and `heard` counts it once.
    f'sum(penstock_bus_dispatched_total{{topic="journeys.ended",result="submitted"}}) >= bool {JOURNEYS}': 1,
    'sum(penstock_http_client_seconds_count{method="GET",status="204"})': JOURNEYS,
    'sum(penstock_module_journeys_heard_total{module="verified"})': JOURNEYS,
    'sum(penstock_cache_reads_total{module="journey"})': JOURNEYS,
    'sum(penstock_cache_loads_total{module="journey",result="loaded"})': 1,
    'sum(penstock_history_endings_total{state="succeeded"})': 2 * JOURNEYS,
    'max(penstock_relay_lag_entries{queue="default"})': 0,
    'max(penstock_queue_jobs{queue="default",state="ready"})': 0,
    'max(penstock_workers{queue="default"})': 2,
    "min(penstock_store_up)": 1,
    "sum(penstock_telemetry_dropped_total) or vector(0)": 0,
    "count(penstock_build_info)": 4,
    'penstock:queue_work_seconds{queue="default"}': 0,
}
"""What each expression has to be once all has settled."""


def check(stage: Stage) -> str:
    """All targets are scraped, each counter is what was done, every rule can be evaluated."""
    prometheus = stage.prometheus
    until(
        lambda: list(prometheus.targets().values()) == ["up"] * 4,
        lambda: f"its targets are up: {prometheus.targets()}",
    )
    for expression, wanted in WANTED.items():
        prometheus.wait_for(expression, wanted)
    errors = prometheus.rule_errors()
    assert not errors, errors
    series = prometheus.values('count({__name__=~"penstock_.+"})')
    return f"{len(WANTED)} expressions as they should be; {series[0]:.0f} series of 4 targets"
