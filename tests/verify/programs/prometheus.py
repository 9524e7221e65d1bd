"""Prometheus and Alertmanager, with the rules of deploy/prometheus sixty times as fast."""

import json
import re
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from verify.asking import ask, query, until
from verify.ports import new_port
from verify.programs.keeper import Keeper
from verify.programs.program import Program

RULES = Path(__file__).parents[3] / "deploy" / "prometheus" / "rules" / "penstock.yaml"
_DURATION = re.compile(r"\b(\d+)([mh])\b")
_FASTER = {"m": "s", "h": "m"}


def hastened(rules: str) -> str:
    """The same rules, with each minute a second and each hour a minute; names and bare numbers stay."""
    return _DURATION.sub(lambda found: found[1] + _FASTER[found[2]], rules)


class Prometheus(Program):
    """Scrapes every second, and knows what is to be asked of it."""

    def __init__(
        self, binaries: Path, folder: Path, keeper: Keeper, targets: Mapping[str, str], alertmanager: str
    ) -> None:
        """`targets` are URLs by the name of their scrape job; `alertmanager` is one, too."""
        port = new_port()
        self.url = f"http://127.0.0.1:{port}"
        (folder / "rules.yaml").write_text(hastened(RULES.read_text()))
        config = folder / "prometheus.yml"
        config.write_text(json.dumps(_config(targets, alertmanager)))  # JSON is YAML
        command = [
            str(binaries / "prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--enable-feature=exemplar-storage",
        ]
        super().__init__("prometheus", command, folder=folder, keeper=keeper, ready=self._is_ready)

    def values(self, expression: str) -> list[float]:
        """What the expression yields now."""
        return [float(one["value"][1]) for one in self._ask("query", query=expression)["result"]]

    def wait_for(self, expression: str, wanted: float) -> None:
        """Return once it has that one value."""
        until(
            lambda: self.values(expression) == [wanted],
            lambda: f"{expression} is {self.values(expression)}, not {wanted:g}",
        )

    def wait_for_more(self, expression: str, least: float = 0.0) -> float:
        """Its one value, once it is above `least`."""
        until(
            lambda: any(value > least for value in self.values(expression)),
            lambda: f"{expression} is {self.values(expression)}, not above {least:g}",
        )
        return max(self.values(expression), default=least)

    def exemplars(self, selector: str) -> set[str]:
        """The trace ids of the last hour's exemplars."""
        series = self._ask("query_exemplars", query=selector, start="0", end="99999999999")
        return {one["labels"]["trace_id"] for each in series for one in each["exemplars"]}

    def alert(self, name: str) -> str:
        """`firing`, `pending` or `inactive`."""
        states = [one["state"] for one in self._ask("alerts")["alerts"] if one["labels"]["alertname"] == name]
        return min(states, default="inactive")  # firing before pending

    def targets(self) -> dict[str, str]:
        """Health of each target, by the name of its scrape job, with its last error."""
        found = self._ask("targets")["activeTargets"]
        return {one["scrapePool"]: f"{one['health']} {one['lastError']}".strip() for one in found}

    def rule_errors(self) -> list[str]:
        """Of rules that cannot be evaluated."""
        groups = self._ask("rules")["groups"]
        return [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")]

    def _is_ready(self) -> bool:
        return ask(f"{self.url}/-/ready").status == 200

    def _ask(self, what: str, **parameters: str) -> Any:
        answer = query(f"{self.url}/api/v1/{what}", **parameters)
        assert answer.status == 200, f"Prometheus to {what} {parameters}: {answer.body.decode()}"
        return answer.json()["data"]


class Alertmanager(Program):
    """Takes the alerts; tells nobody."""

    def __init__(self, binary: Path, folder: Path, keeper: Keeper) -> None:
        port = new_port()
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "alertmanager.yml"
        config.write_text(json.dumps({"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}))
        command = [
            str(binary),
            f"--config.file={config}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",  # it is alone
        ]
        super().__init__("alertmanager", command, folder=folder, keeper=keeper, ready=self._is_ready)

    def has(self, name: str) -> bool:
        """Whether the alert has arrived, and has not been resolved."""
        alerts = ask(f"{self.url}/api/v2/alerts?active=true").json()
        return any(alert["labels"]["alertname"] == name for alert in alerts)

    def _is_ready(self) -> bool:
        return ask(f"{self.url}/-/ready").status == 200


def _config(targets: Mapping[str, str], alertmanager: str) -> dict[str, Any]:
    def static(url: str) -> list[dict[str, list[str]]]:
        return [{"targets": [urllib.parse.urlsplit(url).netloc]}]

    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": static(alertmanager)}]},
        "scrape_configs": [
            {"job_name": name, "honor_labels": True, "static_configs": static(url)}
            for name, url in targets.items()
        ],
    }
