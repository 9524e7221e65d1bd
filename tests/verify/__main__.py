"""`make verify`: runs the real programs beside Penstock, and prints what was checked.

    PYTHONPATH=tests python -m verify [suites] [redis] [valkey]

All of it, or the parts that are named: tests on the real thing; the ten steps on one store, on the other.
Exit code 1 if a check failed; with CI=true also if one was left out, since nobody reads there why.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from support.postgres import PostgresServer, postgres_server
from support.redis_server import SERVER
from verify.programs.jaeger import DEPLOYED, validate
from verify.programs.kafka import Kafka
from verify.programs.keeper import Keeper
from verify.programs.store import Store
from verify.report import LeftOut, Report
from verify.stage import Stage, end, stage
from verify.steps.all_steps import STEPS
from verify.suites import BUS, BUS_SECURE, HISTORY, ROOT, STORE, Suite
from verify.tools import NAMES, Tool, Tools

STORES = ("redis", "valkey")
PARTS = ("suites", *STORES)
FIGURES = ROOT / "build" / "verify.json"


class Run:
    """One run: where its logs are, and what has been had so far."""

    def __init__(self, report: Report, folder: Path, keeper: Keeper, tools: Tools, stack: ExitStack) -> None:
        self._report = report
        self._folder = folder
        self._keeper = keeper
        self._tools = tools
        self._stack = stack

    def everything(self, parts: Sequence[str]) -> None:
        """All checks of these parts; what takes longest to be had is asked for last."""
        for name in reversed(NAMES[1:]):
            self._had(name)
        kafka = self._start_kafka()
        if "suites" in parts:
            self._suites(kafka)
        if (jaeger := self._had(NAMES[0])) is not None:
            with self._report.check("the configuration that is deployed", self._programs("jaeger")) as row:
                validate(jaeger.path, DEPLOYED)
                row.seen = str(DEPLOYED.relative_to(ROOT))
        if kafka is None:
            self._report.leave_out("ten steps", "", "without a Kafka broker")
            return
        postgres = self._postgres()
        for name in STORES:
            if name in parts:
                self._pass(name, kafka, postgres)

    def _suites(self, kafka: Kafka | None) -> None:
        if kafka is not None:
            self._suite(BUS, "kafka", PENSTOCK_TEST_KAFKA=kafka.url, PENSTOCK_TEST_KAFKA_PID=str(kafka.pid))
            self._suite(BUS_SECURE, "kafka", PENSTOCK_TEST_KAFKA=kafka.secure_url)
        self._suite(HISTORY, "postgresql")
        self._suite(STORE, "redis", PENSTOCK_TEST_SERVER="redis")

    def _had(self, name: str) -> Tool | None:
        with self._report.check(f"{name} is here", name) as row:
            tool = self._tools.get(name)
            row.program = f"{name} {tool.version}"
            row.seen = f"{tool.path}"
            return tool
        return None

    def _start_kafka(self) -> Kafka | None:
        with self._report.check("a broker in KRaft mode", self._programs("kafka")) as row:
            kafka = Kafka(self._tools.get("kafka").path, self._folder, self._keeper)
            kafka.format()
            self._stack.callback(kafka.kill)
            kafka.start()
            row.seen = kafka.servers
            return kafka
        return None

    def _suite(self, suite: Suite, tool: str, **env: str) -> None:
        with self._report.check(f"tests: {suite.name}", self._programs(tool)) as row:
            path = str(self._tools.get(tool).path)
            row.seen = suite.run(
                self._folder,
                self._keeper,
                {name: path if given == tool else given for name, given in env.items()},
            )

    def _postgres(self) -> PostgresServer | None:
        with self._report.check("a database server", self._programs("postgresql")) as row:
            self._tools.get("postgresql")
            server = self._stack.enter_context(postgres_server())
            self._keeper.tell(f"!{server.pid}")
            self._stack.callback(self._keeper.tell, f"-{server.pid}")
            row.seen = f"port {server.port}"
            return server
        return None

    def _pass(self, name: str, kafka: Kafka, postgres: PostgresServer | None) -> None:
        """The ten steps on one store."""
        with ExitStack() as stack:
            set_up = self._set_up(name, kafka, postgres, stack)
            for number, (what, programs, check) in enumerate(STEPS, 1):
                label = f"{name} {number}. {what}"
                if set_up is None:
                    self._report.leave_out(label, programs, "not everything is running")
                else:
                    self._step(label, self._programs(name, *programs.lower().split(", ")), check, set_up)
            if set_up is not None:
                self._step(f"{name}: everything ends", self._programs(name), end, set_up)

    def _set_up(
        self, name: str, kafka: Kafka, postgres: PostgresServer | None, stack: ExitStack
    ) -> Stage | None:
        with self._report.check(f"{name}: everything runs", self._programs(name)) as row:
            if postgres is None:
                raise LeftOut("without PostgreSQL")
            folder = self._folder / name
            folder.mkdir()
            binary = self._tools.get("redis").path if name == "redis" else Path(SERVER)
            store = Store(name, binary, folder, self._keeper)
            set_up = stack.enter_context(stage(folder, self._keeper, self._tools, store, kafka, postgres))
            row.seen = f"{len(set_up.programs)} programs; the store is {store.version()}"
            return set_up
        return None

    def _step(self, label: str, programs: str, check: Callable[[Stage], str], set_up: Stage) -> None:
        with self._report.check(label, programs) as row:
            row.seen = check(set_up)

    def _programs(self, *names: str) -> str:
        """Names with their versions, as far as they are known."""
        return ", ".join(f"{name} {self._tools.version(name)}".strip() for name in names)


def main(arguments: Sequence[str]) -> int:
    """All parts, or those that are named; the exit code."""
    console = Console(soft_wrap=True)
    if not set(arguments) <= set(PARTS):
        console.print(__doc__, markup=False)
        return 2
    signal.signal(signal.SIGTERM, _end)
    report = Report(console)
    folder = Path(tempfile.mkdtemp(prefix="penstock-verify-"))
    report.say(f"logs: {folder}")
    with ExitStack() as stack:
        keeper = Keeper()
        stack.callback(keeper.close)
        tools = stack.enter_context(Tools(keeper))
        Run(report, folder, keeper, tools, stack).everything(arguments or PARTS)
    Console(width=max(console.width, 150)).print(report.table())
    report.save(FIGURES)
    failed = report.failed(complete=os.environ.get("CI") == "true")
    if failed:
        console.print(f"The log of every program is in {folder}.")
    else:
        shutil.rmtree(folder)
    return 1 if failed else 0


def _end(_number: int, _frame: Any) -> None:
    """SIGTERM ends the blocks, and with them everything that runs."""
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
