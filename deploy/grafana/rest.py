"""Metrics that no panel was written for: each gets one, so that a new one is seen from its first day on."""

from grafana.ask import RATE, quantile
from grafana.dashboard import Row
from grafana.panel import Panel, Query, series
from penstock.telemetry.metrics.children import Counter, Gauge, Histogram
from prometheus.alerting.catalogue import catalogue


def rest(shown: str) -> list[Row]:
    """A row of panels for the metrics whose names do not occur in `shown`; none where all do."""
    panels = tuple(_panel(family) for name, family in catalogue().items() if name not in shown)
    return [Row("What has no place of its own yet", panels)] if panels else []


def _panel(family: Counter | Gauge | Histogram) -> Panel:
    labels = ", ".join(family.label_names)
    legend = " ".join(f"{{{{{name}}}}}" for name in family.label_names)
    by = f" by ({labels}) " if labels else ""
    match family:
        case Counter():
            expression, unit = f"sum{by}(rate({family.name}[{RATE}]))", "ops"
        case Histogram():
            expression, unit = quantile(0.99, family.name, labels), "s"
        case _:
            expression, unit = f"max{by}({family.name})", "s" if family.name.endswith("_seconds") else "short"
    return series(family.name, unit, Query(f"{expression} or on () vector(0)", legend), about=family.doc)
