"""The real programs: found, or had by `.ci/verify-tools`, all at once, since building one takes minutes."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

import msgspec

from verify.programs.keeper import Keeper
from verify.report import LeftOut

SCRIPT = Path(__file__).parents[2] / ".ci" / "verify-tools"
WITHIN = 1800.0
"""Seconds. Jaeger, compiled from nothing, takes 13 minutes of processor time, by two cores at best."""
NAMES = ("jaeger", "kafka", "alertmanager", "redis", "prometheus", "postgresql")
"""The one that takes longest comes first."""
_VERSION = re.compile(r"(\d+\.\d+[.\d]*)")


class Missing(LeftOut):
    """A program cannot be had; the message is the reason."""


class Tool(msgspec.Struct, frozen=True):
    """A program that is here."""

    name: str
    path: Path
    """Of the program, or of the folder it is in."""
    version: str
    seconds: float
    """How long it took to be had."""


class Tools:
    """All of them, looked for from the start of the block on; what is not here at its end is given up."""

    def __init__(self, keeper: Keeper, *, script: Path = SCRIPT) -> None:
        self._keeper = keeper
        self._script = script
        self._pool = ThreadPoolExecutor(len(NAMES))
        self._running: set[int] = set()
        self._given_up = False
        self._lock = Lock()
        self._coming: dict[str, Future[Tool]] = {}

    def __enter__(self) -> Self:
        self._coming = {name: self._pool.submit(self._have, name) for name in NAMES}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._given_up = True
            for group in self._running:
                _end(group)
        self._pool.shutdown()

    def get(self, name: str) -> Tool:
        """That one, once it is here; raises `Missing`."""
        return self._coming[name].result()

    def version(self, name: str) -> str:
        """Of one that is here; nothing for any other."""
        coming = self._coming.get(name)
        if coming is None or not coming.done() or coming.exception() is not None:
            return ""
        return coming.result().version

    def _have(self, name: str) -> Tool:
        began = time.monotonic()
        with self._start(name) as process:
            try:
                out, err = process.communicate(timeout=WITHIN)
            except subprocess.TimeoutExpired:
                _end(process.pid)
                raise Missing(f"{name} was not there within {WITHIN:g} s") from None
            finally:
                with self._lock:
                    self._running.discard(process.pid)
                    self._keeper.tell(f"-{process.pid}")
        if process.returncode != 0:
            raise Missing((err.strip().splitlines() or [f"{name} cannot be had"])[-1])
        path = Path(out.strip().splitlines()[-1])
        return Tool(name, path, _version(name, path), time.monotonic() - began)

    def _start(self, name: str) -> subprocess.Popen[str]:
        with self._lock:
            if self._given_up:
                raise Missing(f"{name} was not looked for")
            process = subprocess.Popen(
                [self._script, name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._running.add(process.pid)
            self._keeper.tell(f"+{process.pid}")
            return process


def _version(name: str, path: Path) -> str:
    match name:
        case "kafka":
            [jar] = path.glob("kafka_*.jar")
            return jar.stem.rpartition("-")[2]
        case "jaeger":
            return _told([str(path), "version"])
        case "prometheus":
            return _told([str(path / "prometheus"), "--version"])
        case "postgresql":
            return _told([str(path / "postgres"), "--version"])
        case _:
            return _told([str(path), "--version"])


def _told(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = _VERSION.search(done.stdout + done.stderr)
    return found[1] if found else "?"


def _end(group: int) -> None:
    try:
        os.killpg(group, signal.SIGTERM)
    except ProcessLookupError:
        return
