"""What the browser makes of a page before it asks Grafana: variables chosen and filled in, queries sent."""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from manifests.grafana import Answer, Grafana

JSON = dict[str, Any]
SPAN = 3_600
"""Seconds that our pages look back."""
POINTS = 1_000
"""Pixels of a panel, of which each can show one."""
PREFERRED = {"queue": "orders", "job": "shop.pay"}
"""What is chosen of what a variable offers."""
_LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")


class Frame(NamedTuple):
    """A table that Grafana answers with."""

    columns: dict[str, list[Any]]
    custom: JSON
    """What its data source says of it."""

    @property
    def empty(self) -> bool:
        """Whether no cell has anything."""
        return all(value is None for column in self.columns.values() for value in column)


def query(grafana: Grafana, *targets: JSON) -> dict[str, list[Frame]]:
    """The frames of each query, by its `refId`, as a panel asks for them."""
    now = int(time.time() * 1000)
    sent = [
        {"intervalMs": 15_000, "maxDataPoints": POINTS, "utcOffsetSec": 0, "interval": "", **target}
        for target in targets
    ]
    span = {"from": str(now - SPAN * 1000), "to": str(now)}
    answer = grafana.ask("ds/query", {"queries": sent, **span})
    assert answer.status == 200, (answer, targets)
    results = answer.body["results"]
    assert all(one.get("status", 200) == 200 and "error" not in one for one in results.values()), results
    return {name: [_frame(one) for one in result["frames"]] for name, result in results.items()}


def chosen(grafana: Grafana, page: JSON) -> dict[str, str]:
    """A value for each of a page's variables, of those that Grafana says there are."""
    found: dict[str, str] = {}
    for variable in page["templating"]["list"]:
        values = offered(grafana, variable, found)
        assert values, f"{page['title']}: nothing to choose for {variable['name']}"
        everything = variable.get("includeAll", False)
        wanted = PREFERRED.get(variable["name"], values[0])
        assert wanted in values
        found[variable["name"]] = variable["allValue"] if everything else wanted
    return found


def offered(grafana: Grafana, variable: JSON, known: Mapping[str, str]) -> list[str]:
    """What a variable offers, by the way of the plugin's `label_values`."""
    asked = _LABEL_VALUES.fullmatch(variable["query"]["query"])
    assert asked, variable
    selector, label = filled_in(asked[1], known), asked[2]
    source, now = variable["datasource"]["uid"], int(time.time())
    span = {"start": str(now - SPAN), "end": str(now)}
    path = f"datasources/uid/{source}/resources/api/v1/label/{label}/values"
    values: list[str] = grafana.get(path, **{"match[]": selector}, **span)["data"]
    return values


def filled_in(text: str, values: Mapping[str, str]) -> str:
    """With what was chosen; intervals are left, which Grafana itself fills in."""
    for name, value in values.items():
        text = text.replace(f"${name}", value)
    return text


def asked(page: JSON, values: Mapping[str, str]) -> Iterator[tuple[str, list[JSON]]]:
    """Title and queries of each panel."""
    for panel in page["panels"]:
        if panel["type"] != "row":
            yield (
                panel["title"],
                [{**target, "expr": filled_in(target["expr"], values)} for target in panel["targets"]],
            )


def health(grafana: Grafana, source: str, path: str) -> Answer:
    """What "Save & test" says: the plugin's own check, or `path`, as the page asks where it has none."""
    answer = grafana.ask(f"datasources/uid/{source}/health")
    without = answer.status == 404 or answer.body.get("message") == "Plugin unavailable"
    return grafana.ask(path) if without else answer


def _frame(one: JSON) -> Frame:
    fields = one["schema"]["fields"]
    values = one.get("data", {}).get("values", [])
    columns = {field["name"]: column for field, column in zip(fields, values, strict=True)}
    custom = one["schema"].get("meta", {}).get("custom") or {}
    return Frame(columns, custom)
