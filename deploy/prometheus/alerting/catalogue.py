"""Which metrics there are: expressions may name no others."""

import re
from collections.abc import Mapping
from functools import cache

from docs.generate import families
from penstock.telemetry.metrics.children import Counter, Gauge, Histogram
from penstock.telemetry.metrics.families import Metrics

_NAME = re.compile(r"(?<![:\w])penstock_\w+")
_MATCHER = re.compile(r"\b(penstock_\w+)\{([^}]*)\}")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")
_TARGET = {"instance", "le"}
"""Labels that Prometheus gives every series, or buckets have."""


class UnknownMetric(LookupError):
    """An expression names a metric or a label that no process shows."""


@cache
def catalogue() -> Mapping[str, Counter | Gauge | Histogram]:
    """Every family of Penstock's own, by the name that its samples have in Prometheus."""
    return {family.name: family for _, family in families(Metrics(tenant_label=True))}


def check_names(expression: str) -> str:
    """The expression, if every metric and label that it asks for exists; raises `UnknownMetric`."""
    for name in _NAME.findall(expression):
        find(name)
    for name, matchers in _MATCHER.findall(expression):
        known = {*find(name).label_names, *_TARGET}
        for label in _LABEL.findall(re.sub(r'"[^"]*"', '""', matchers)):
            if label not in known:
                raise UnknownMetric(f"{name} has no label {label}; it has {', '.join(sorted(known))}")
    return expression


def find(name: str) -> Counter | Gauge | Histogram:
    """The family whose samples are named so; those of a module stand for themselves nowhere here."""
    known = catalogue()
    for candidate in (name, _SUFFIX.sub("", name)):
        if candidate in known:
            return known[candidate]
    raise UnknownMetric(f"{name} is a metric of no process; docs/metrics.md has those that there are")
