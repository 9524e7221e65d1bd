"""Penstock's own processes: `penstock api`, `worker`, `relay`, with their log lines and addresses."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.processes import PENSTOCK, TESTS
from verify.asking import ask
from verify.ports import new_port
from verify.programs.keeper import Keeper
from verify.programs.program import Program

APP = "verify.application:modules"


class Penstock(Program):
    """One process that serves `url`: the API's, or a worker's probes and metrics."""

    def __init__(
        self,
        name: str,
        command: str,
        options: Sequence[str],
        *,
        folder: Path,
        keeper: Keeper,
        env: Mapping[str, str],
    ) -> None:
        port = new_port()
        self.url = f"http://127.0.0.1:{port}"
        bind = "--bind" if command == "api" else "--metrics-bind"
        where = (bind, f"127.0.0.1:{port}")
        super().__init__(
            name,
            [PENSTOCK, command, APP, *where, *options],
            folder=folder,
            keeper=keeper,
            ready=self._is_ready,
            env={"PYTHONPATH": str(TESTS), "PYTHONUNBUFFERED": "1", **env},
        )

    def lines(self, **fields: object) -> list[dict[str, Any]]:
        """Its log lines that have those fields."""
        found = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in found if fields.items() <= line.items()]

    def sample(self, series: str) -> float:
        """The value of one series of its metrics, named as it is written there; 0 where there is none."""
        text = ask(f"{self.url}/metrics").body.decode()
        found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def _is_ready(self) -> bool:
        return ask(f"{self.url}/readyz").status == 200
