"""The few forms that nearly all expressions have."""

RATE = "$__rate_interval"
"""Four scrape intervals at least, as Grafana computes it."""


def rate(counter: str, by: str = "") -> str:
    """How often a second, added up over processes."""
    return f"sum{_by(by)}(rate({counter}[{RATE}]))"


def rare(counter: str, by: str = "") -> str:
    """How often in five minutes; 0 also where it has never happened, and so has no series.

    Only there: without `on ()`, a 0 would stand beside series that have labels.
    """
    return f"sum{_by(by)}(increase({counter}[5m])) or on () vector(0)"


def quantile(share: float, histogram: str, by: str = "", where: str = "") -> str:
    """The value that `share` of what a histogram counted lies below."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{where}[{RATE}])))"


def mean(histogram: str, by: str, where: str = "") -> str:
    """The mean of what a histogram counted."""
    total, count = rate(f"{histogram}_sum{where}", by), rate(f"{histogram}_count{where}", by)
    return f"{total} / {count}"


def told(gauge: str, by: str) -> str:
    """A fact that one process tells of all, also for the moment in which two do."""
    return f"max by ({by}) ({gauge})"


def _by(labels: str) -> str:
    return f" by ({labels}) " if labels else ""
