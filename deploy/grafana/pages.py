"""All dashboards."""

from grafana import infrastructure, job_page, overview, queue_page, telemetry_page, worker_page
from grafana.dashboard import Dashboard


def dashboards() -> list[Dashboard]:
    """In the order in which one looks at them."""
    written = [page.DASHBOARD for page in (overview, queue_page, job_page, worker_page, telemetry_page)]
    return [*written, infrastructure.dashboard(repr(written))]
