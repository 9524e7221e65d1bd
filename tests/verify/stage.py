"""Everything that a pass of the ten steps runs on: Penstock's processes among the real programs."""

import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from support.postgres import PostgresServer
from support.processes import PENSTOCK
from verify.asking import ask, until
from verify.programs.jaeger import Jaeger
from verify.programs.kafka import Kafka
from verify.programs.keeper import Keeper
from verify.programs.penstock import Penstock
from verify.programs.program import DidNotStart, Program, clean_environment
from verify.programs.prometheus import Alertmanager, Prometheus
from verify.programs.store import Store
from verify.service import Service, service
from verify.tools import Tools

LEASE = 3.0
"""Seconds after a worker's death until its jobs are taken over."""
SPANS_KEPT = "500"
"""Spans that wait for a collector that is away: few, so that losing some takes no minutes."""


class Stage:
    """What runs, and what the steps tell each other."""

    def __init__(
        self,
        folder: Path,
        keeper: Keeper,
        tools: Tools,
        store: Store,
        kafka: Kafka,
        history: str,
        told: Service,
    ) -> None:
        self.folder = folder
        self.store = store
        self.kafka = kafka
        self.service = told
        self._history = history
        self._keeper = keeper
        self.jaeger = Jaeger(tools.get("jaeger").path, folder, keeper)
        self.alertmanager = Alertmanager(tools.get("alertmanager").path, folder, keeper)
        self.api = self._penstock("api", "api", "--history-url", history)
        self.workers = [
            self._penstock(
                f"worker-{number}", "worker", "--lease", f"{LEASE:g}", "--grace", "5", *self._bus()
            )
            for number in (1, 2)
        ]
        self.relay = self._penstock("relay", "relay", "--history-url", history)
        self.processes = [self.api, *self.workers, self.relay]
        self.prometheus = Prometheus(
            tools.get("prometheus").path,
            folder,
            keeper,
            {process.name: process.url for process in self.processes},
            self.alertmanager.url,
        )
        self.programs: list[Program] = [store, self.jaeger, self.alertmanager, *self.processes]
        self.programs.append(self.prometheus)
        self.journeys: dict[str, str] = {}
        """Trace ids of the journeys that were submitted, by the ids of their jobs."""

    def migrate(self) -> None:
        """Make the history's tables."""
        command = [PENSTOCK, "migrate", "--history-url", self._history]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, env=clean_environment()
        )
        if done.returncode != 0:
            raise DidNotStart(f"penstock migrate: {done.stdout[-500:]}{done.stderr[-500:]}")

    def submit(self, job: str, **args: object) -> dict[str, Any]:
        """Submit a job over HTTP; what the API answered."""
        answer = ask(f"{self.api.url}/v1/jobs", {"job": job, "args": args, "tenant": "acme", "user": "ann"})
        assert answer.status == 202, f"{answer.status}: {answer.body.decode()}"
        found: dict[str, Any] = answer.json()
        return found

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job, once it has ended."""
        found: dict[str, Any] = {}

        def has_ended() -> bool:
            answer = ask(f"{self.api.url}/v1/jobs/{job_id}/wait?timeout=10")
            if answer.status == 200:
                found.update(answer.json())
            return found.get("state") in {"succeeded", "dead", "cancelled", "expired"}

        until(has_ended, lambda: f"{job_id} has ended; it is {found}")
        return found

    def alert_arrives(self, name: str) -> float:
        """Seconds until Prometheus fires it and Alertmanager has it; it need not do both at one moment."""
        states: set[str] = set()

        def arrived() -> bool:
            states.add(self.prometheus.alert(name))
            if self.alertmanager.has(name):
                states.add("arrived")
            return {"firing", "arrived"} <= states

        return until(arrived, lambda: f"{name} fires and arrives; seen: {sorted(states)}")

    def _bus(self) -> tuple[str, ...]:
        return ("--bus", self.kafka.url)

    def _penstock(self, name: str, command: str, *options: str) -> Penstock:
        common = ("--redis", self.store.url, "--otlp-endpoint", self.jaeger.otlp, "--log-format", "json")
        env = {
            "OTEL_BSP_MAX_QUEUE_SIZE": SPANS_KEPT,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "PENSTOCK_MODULE_JOURNEY_DATABASE": self._history,
            "PENSTOCK_MODULE_JOURNEY_SERVICE": self.service.url,
            "PENSTOCK_MODULE_OUTGOING_ALLOW_PRIVATE": "true",
            "PENSTOCK_MODULE_OUTGOING_TRACE_TO": '["127.0.0.1"]',
        }
        return Penstock(name, command, (*common, *options), folder=self.folder, keeper=self._keeper, env=env)


def end(set_up: Stage) -> str:
    """SIGTERM to each of Penstock's processes: all drain and end with exit code 0."""
    codes = {process.name: process.stop() for process in set_up.processes}
    assert set(codes.values()) == {0}, f"exit codes: {codes}"
    return f"{len(codes)} processes drained, exit code 0"


@contextmanager
def stage(
    folder: Path, keeper: Keeper, tools: Tools, store: Store, kafka: Kafka, postgres: PostgresServer
) -> Generator[Stage]:
    """Everything is ready; at the end of the block all of it but Kafka and PostgreSQL is gone.

    Raises `DidNotStart`, and `Missing` for a program that cannot be had.
    """
    database = store.name
    postgres.query(f"CREATE DATABASE {database}")
    kafka.renew_topic("journeys.ended")  # what an earlier pass left there is nobody's here
    with ExitStack() as stack:
        set_up = Stage(
            folder, keeper, tools, store, kafka, postgres.url(database), stack.enter_context(service())
        )
        set_up.migrate()
        store.start()
        for program in set_up.programs:
            stack.callback(program.kill)
            if program is not store:
                program.launch()
        for program in set_up.programs:
            program.wait_until_ready()
        yield set_up
