"""From a bucket of a histogram to a trace: exemplars, by Prometheus' query API."""

from verify.asking import until
from verify.stage import Stage

HISTOGRAMS = ("penstock_job_wait_seconds", "penstock_job_run_seconds")


def check(stage: Stage) -> str:
    """The exemplars of waiting and of running are traces that Jaeger has, of jobs that were submitted."""
    submitted = set(stage.journeys.values())
    found: set[str] = set()
    for name in HISTOGRAMS:
        selector = f'{name}_bucket{{job="journey.travel"}}'
        until(
            lambda: bool(stage.prometheus.exemplars(selector) & submitted),  # noqa: B023 - called at once
            f"{name} has exemplars of jobs that were submitted",
        )
        found |= stage.prometheus.exemplars(selector)
    assert found <= submitted, f"of nobody's traces: {found - submitted}"
    assert all(stage.jaeger.trace(trace_id) for trace_id in found)
    return f"{len(found)} exemplars, each of a trace that Jaeger has"
