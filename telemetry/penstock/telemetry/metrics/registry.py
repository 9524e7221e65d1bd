"""Where families of metrics are declared, and how Penstock's own get their names and count their overflow."""

from collections.abc import Callable, Sequence

from aioprometheus import collectors

from penstock.telemetry.metrics.children import MAX_SERIES, Counter, Family, Gauge, Histogram

DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)
"""Upper bounds in seconds: those that OpenTelemetry advises for messaging, widened to what jobs take."""


class Registry(collectors.Registry):
    """A registry of our own families only: what the renderer cannot escape may not get in."""

    def register(self, collector: collectors.Collector) -> None:
        """Add one family; raises `TypeError` for a bare aioprometheus collector."""
        if not isinstance(collector, Family):
            raise TypeError(f"{collector.name} has no declared labels; use penstock.telemetry's classes")
        super().register(collector)

    def families(self) -> list[Counter | Gauge | Histogram]:
        """Every family, in order of declaration."""
        return [family for family in self.get_all() if isinstance(family, (Counter, Gauge, Histogram))]


class Maker:
    """Declares families in one registry, all counting their overflow in one place."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.overflow = Counter(
            registry,
            "penstock_telemetry_label_overflow_total",
            "Samples counted under __other__ because their metric has too many series.",
            ("metric",),
            locked=True,  # modules' metrics overflow in threads
        )
        self.overflowed: Callable[[str], None] = lambda name: self.overflow.labels(name).inc()
        """Counts one sample of the named metric that found no room."""

    def counter(self, name: str, doc: str, *labels: str, most: int = MAX_SERIES) -> Counter:
        """A counter; `penstock_` goes before its name and `_total` behind it."""
        return Counter(self.registry, f"penstock_{name}_total", doc, labels, self.overflowed, most=most)

    def gauge(self, name: str, doc: str, *labels: str) -> Gauge:
        """A gauge; `penstock_` goes before its name."""
        return Gauge(self.registry, f"penstock_{name}", doc, labels, self.overflowed)

    def seconds(
        self, name: str, doc: str, labels: Sequence[str] = (), buckets: Sequence[float] = DURATIONS
    ) -> Histogram:
        """A histogram of durations; `penstock_` goes before its name and `_seconds` behind it."""
        name = f"penstock_{name}_seconds"
        return Histogram(self.registry, name, doc, labels, self.overflowed, buckets=buckets)
