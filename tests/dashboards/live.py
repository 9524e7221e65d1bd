"""A whole system at work, scraped by a real Prometheus: what dashboards are drawn from."""

import json
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import create_engine

from dashboards.application import pay
from penstock.engine.sql_outbox import SqlOutbox
from support.otlp_receiver import otlp_receiver
from support.processes import Process, Start
from support.prometheus import Prometheus, prometheus

APP = "dashboards.application:shop"
RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules" / "penstock.yaml"


class System(NamedTuple):
    """Processes that run."""

    prometheus: Prometheus
    api: str
    """Its URL."""
    worker: Process
    """The supervisor of two."""


@contextmanager
def system(start: Start, redis: str, folder: Path, otlp: str | None = None) -> Generator[System]:
    """API, two worker processes, a relay with a history; their spans go to `otlp`, if there is one."""
    with nullcontext(otlp) if otlp else _anywhere() as collector:
        where = ("--redis", redis, "--otlp-endpoint", collector)
        history = ("--history-url", f"sqlite:///{folder / 'history.db'}")
        outbox = ("--outbox-url", f"sqlite:///{folder / 'shop.db'}")
        metrics = ("--metrics-bind", "127.0.0.1:0")
        assert start("migrate", *history, *outbox).wait() == 0
        relay = start("relay", APP, *where, *history, *outbox, *metrics)
        urls = {"relay": relay.wait_for_line(r"Running on (\S+)")[1]}
        relay.wait_for_line("relay started")
        api = start("api", APP, "--bind", "127.0.0.1:0", *where, *history)
        urls["api"] = api.wait_for_line(r"Running on (\S+)")[1]
        settings = {
            "PENSTOCK_MODULE_SHOP_SERVICE": urls["api"],
            "PENSTOCK_MODULE_OUTGOING_ALLOW_PRIVATE": "true",
        }
        worker = start("worker", APP, *where, *metrics, "--processes", "2", **settings)
        urls["worker"] = worker.wait_for_line(r"Running on (\S+)")[1]
        for number in (1, 2):
            worker.wait_for_line(f'"worker started".*"process":{number}')
        with prometheus(folder, urls, rules=[RULES], honor_labels=True) as server:
            yield System(server, urls["api"], worker)


@contextmanager
def _anywhere() -> Generator[str]:
    with otlp_receiver() as collector:
        yield collector.endpoint


def work(api: str, seconds: float) -> None:
    """Submit some jobs a second for so long: paid orders, one in ten that fails."""
    deadline, order = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        order += 1
        job = "shop.fail" if order % 10 == 0 else "shop.pay"
        submit(api, {"job": job, "args": {"order": order}, "tenant": f"t{order % 3}"})
        time.sleep(0.1)  # a load, not a wait


def write(folder: Path, jobs: int) -> None:
    """Submit some more in a transaction, by the outbox of the system in `folder`."""
    engine = create_engine(f"sqlite:///{folder / 'shop.db'}")
    with engine.begin() as connection:
        SqlOutbox().submit_many(connection, [pay.request(order) for order in range(jobs)])
    engine.dispose()


def submit(api: str, body: dict[str, Any]) -> Any:
    """One job."""
    asked = urllib.request.Request(
        f"{api}/v1/jobs", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=30) as response:
        return json.load(response)


def filled_in(expression: str, chosen: Sequence[tuple[str, str]] = ()) -> str:
    """An expression as Grafana would send it, with what was chosen for its variables."""
    for name, value in (("__rate_interval", "20s"), *chosen):
        expression = expression.replace(f"${name}", value)
    return expression
