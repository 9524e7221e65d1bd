"""What stands around the workers, and whatever no other dashboard shows."""

from grafana import stores, traffic
from grafana.dashboard import Dashboard
from grafana.rest import rest

_ROWS = (*stores.ROWS, *traffic.ROWS)


def dashboard(others: str) -> Dashboard:
    """The page, with what no dashboard shows at its end; `others` is the text of all other dashboards."""
    return Dashboard(
        "infrastructure",
        "infrastructure",
        "What stands around the workers, as they see it.",
        (*_ROWS, *rest(others + repr(_ROWS))),
    )
