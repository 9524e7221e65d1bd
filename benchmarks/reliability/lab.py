"""Where one case is tried on one system: a server, worker processes, and the notes that jobs leave."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import trio

from benchmarks.chaos.server import Server
from benchmarks.reliability.notes import Note, read
from benchmarks.reliability.system import CONCURRENCY, LEASE, REDIS, System, program

ROOT = Path(__file__).parents[2]
_LOOK = 0.05
_START_WITHIN = 60.0
"""Seconds until the first worker of a case runs its first job."""
SETTLE = 6.0
"""Seconds that a second worker gets to be ready and idle."""


class Party:
    """A worker as it is started; signals go to all of its processes, but SIGTERM to the first alone."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process

    def kill(self) -> None:
        """SIGKILL."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.killpg(self.process.pid, signal.SIGCONT)

    async def ended(self, within: float) -> bool:
        """Whether it ends by itself within so many seconds."""
        with trio.move_on_after(within):
            await self.process.wait()
        return self.process.returncode is not None


class Lab:
    """What a case is written with. Times are seconds on the clock of the notes."""

    def __init__(self, system: System, environment: Path, folder: Path, server: Server, url: str) -> None:
        self.server = server
        self.parties: list[Party] = []
        self._system = system
        self._url = url
        self._environment = environment
        self._notes = folder / "notes"
        self._notes.touch()
        self._log = folder / "worker.log"
        self._variables = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("PENSTOCK_", "OTEL_"))
            },
            **system.environment,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            "RELIABILITY_NOTES": str(self._notes),
            "RELIABILITY_REDIS": url,
            "RELIABILITY_LEASE": str(LEASE),
            "RELIABILITY_CONCURRENCY": str(CONCURRENCY),
        }

    async def start(self) -> Party:
        """Start a worker; it may not be ready yet."""
        name, *words = self._system.worker
        command = [
            program(self._environment, name),
            *(self._url if word == REDIS else word for word in words),
        ]
        with self._log.open("ab") as log:
            process = await trio.lowlevel.open_process(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._variables,
                cwd=ROOT,
                start_new_session=True,  # a group of its own, so that its children share its fate
            )
        self.parties.append(Party(process))
        return self.parties[-1]

    async def start_ready(self) -> Party:
        """Start the only worker; it has run a job."""
        party, number = await self.start(), 0
        with trio.fail_after(_START_WITHIN):
            while not await self.until(lambda: any("warm" in note.job for note in self.notes()), 3.0):
                number += 1
                await self.submit(0, f"warm-{number}")
        return party

    async def submit(self, seconds: float, *jobs: str) -> None:
        """Submit a job of each name that takes so many seconds."""
        module = ["-m", "benchmarks.reliability.submit", self._system.app, self._system.runner]
        command = [program(self._environment, "python"), *module, str(seconds), *jobs]
        with self._log.open("ab") as log:
            await trio.run_process(command, stdout=log, stderr=log, env=self._variables, cwd=ROOT)

    def notes(self, job: str | None = None, event: str | None = None) -> list[Note]:
        """What jobs have written down, of one job or all, of one kind or all."""
        return [
            note for note in read(str(self._notes)) if job in (None, note.job) and event in (None, note.event)
        ]

    async def until(self, ready: Callable[[], bool], within: float) -> bool:
        """Whether it becomes so within that many seconds."""
        deadline = time.monotonic() + within
        while not ready():
            if time.monotonic() > deadline:
                return False
            await trio.sleep(_LOOK)
        return True

    async def started(self, job: str, times: int = 1, within: float = 30.0) -> float | None:
        """When `job` was started for the so-manieth time; None where it is not within so many seconds."""
        found = await self.until(lambda: len(self.notes(job, "start")) >= times, within)
        return self.notes(job, "start")[times - 1].at if found else None


@asynccontextmanager
async def lab(system: System, environment: Path, folder: Path) -> AsyncGenerator[Lab]:
    """A lab with a running server; whatever was started in it is killed at the block's end."""
    port = _free_port()
    server = Server(folder / "data", port)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        place = Lab(system, environment, folder, server, f"redis://127.0.0.1:{port}/0")
        try:
            yield place
        finally:
            for party in place.parties:
                await _end(party)
        nursery.cancel_scope.cancel()


def home() -> Path:
    """The environment that Penstock runs in: ours."""
    return Path(sys.prefix)


async def _end(party: Party) -> None:
    # Shielded, because a cancelled case leaves nobody behind either; SIGKILL keeps nobody waiting.
    with trio.CancelScope(shield=True):
        with suppress(ProcessLookupError):  # all of them have ended
            party.kill()
        await party.process.wait()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
