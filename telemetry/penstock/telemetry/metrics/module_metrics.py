"""The metrics that modules and parts of the engine declare, kept in one process's registry."""

from collections.abc import Callable, Iterable

from penstock.engine import metric
from penstock.telemetry.metrics.children import Counter, Gauge, Histogram
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.scope import current_scope

PREFIX = "penstock_module_"
"""Goes before the name that a module gives: what it chooses cannot clash with Penstock's own."""
PART_PREFIX = "penstock_"


def bind_module_metrics(metrics: Metrics, declared: Iterable[metric.Metric]) -> Callable[[], None]:
    """Count from now on, beginning at 0, what is told to `declared`; call what is returned to end that.

    Metrics of one name are one family, whose first label is the module; its help is that of the first. They
    must have been through `metric.collect`. Handlers in threads count too, so these families are locked; past
    the cap of series the module is still told.
    """
    families: dict[str, Counter | Gauge | Histogram] = {}
    unbind: list[metric.Unbind] = []
    for one in declared:
        name = (PART_PREFIX if one.module == metric.PART else PREFIX) + one.name
        if name not in families:
            families[name] = _family(metrics, one, name)
        if not one.labels:
            families[name].labels(*_given(one))  # there from the start, at 0
        unbind.append(one.bind(_sink(families[name], _given(one))))

    def unbind_all() -> None:
        for each in unbind:
            each()

    return unbind_all


def _given(declared: metric.Metric) -> tuple[str, ...]:
    """The values of labels that nobody says: the module, where it is a module's."""
    return () if declared.module == metric.PART else (declared.module,)


def _family(metrics: Metrics, declared: metric.Metric, name: str) -> Counter | Gauge | Histogram:
    given = _given(declared)
    labels, kept = ("module",) * len(given) + declared.labels, len(given)
    common = (labels, metrics.make.overflowed)
    match declared:
        case metric.Counter():
            name = f"{name}_total"
            return Counter(metrics.registry, name, declared.help, *common, locked=True, kept=kept)
        case metric.Histogram(buckets=bounds):
            return Histogram(
                metrics.registry, name, declared.help, *common, buckets=bounds, locked=True, kept=kept
            )
        case _:
            return Gauge(metrics.registry, name, declared.help, *common, locked=True, kept=kept)


def _sink(family: Counter | Gauge | Histogram, given: tuple[str, ...]) -> metric.Sink:
    def add(change: metric.Change, values: tuple[metric.LabelValue, ...], number: float) -> None:
        if isinstance(family, Histogram):
            family.labels(*given, *values).observe(number, current_scope().exemplar)
        elif isinstance(family, Gauge) and change == "set":
            family.labels(*given, *values).set(number)
        else:
            family.labels(*given, *values).inc(number)

    return add
