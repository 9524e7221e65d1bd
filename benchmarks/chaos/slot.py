"""A place for a process: whatever ends it, it is started again, until the run is over."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import trio

from benchmarks.history import Recorder

START_WITHIN = 20.0
"""Seconds that a fault waits for its target to be there."""
END_WITHIN = 30.0
"""Seconds from SIGTERM to the end: the grace period, two flushes of five seconds, and a slow machine."""


class Death(msgspec.Struct, frozen=True):
    """A process of this slot was killed, at `at` milliseconds since the epoch."""

    name: str
    pid: int
    at: int


class Slot:
    """Keeps one process running; `command` gives the arguments of each life.

    `deaths` are those by SIGKILL, `complaints` endings that should not be; `log` is what it says.
    """

    def __init__(
        self, name: str, command: Callable[[str, int], list[str]], recorder: Recorder, folder: Path
    ) -> None:
        self.name = name
        self.deaths: list[Death] = []
        self.complaints: list[str] = []
        self.lives = 0
        self._command = command
        self._recorder = recorder
        self.log = folder / f"{name}.log"
        self._process: trio.Process | None = None
        self._there = trio.Event()
        self._asked = False  # to end
        self._pause = 0.0
        self._retired = False
        self._over = trio.Event()

    async def run(self) -> None:
        """Start a process again each time it ends, until `retire`. Cancelled, it kills what runs."""
        with self.log.open("ab") as log:
            while not self._retired:
                self.lives += 1
                command = [sys.executable, *self._command(f"{self.name}.{self.lives}", self.lives)]
                process = await trio.lowlevel.open_process(
                    command, stdin=subprocess.PIPE, stdout=log, stderr=log
                )
                try:
                    self._process, self._asked = process, self._retired
                    if self._retired:  # while it was being started
                        process.terminate()
                    self._there.set()
                    await process.wait()
                finally:
                    await _bury(process)
                self._process, self._there = None, trio.Event()
                self._judge(process)
                await trio.sleep(self._pause)
                self._pause = 0.0
        self._over.set()

    async def kill(self, pause: float) -> None:
        """SIGKILL; the next life begins after `pause` seconds."""
        self._pause = pause
        (await self._living()).kill()

    async def stop(self, seconds: float) -> None:
        """SIGSTOP and, after so many seconds, SIGCONT."""
        process = await self._living()
        process.send_signal(signal.SIGSTOP)
        try:
            await trio.sleep(seconds)
        finally:
            process.send_signal(signal.SIGCONT)

    async def drain(self, pause: float) -> None:
        """SIGTERM, and wait for the end; the next life begins after `pause` seconds."""
        process = await self._living()
        self._pause, self._asked = pause, True
        process.terminate()
        with trio.move_on_after(END_WITHIN):
            await process.wait()
            return
        self.complaints.append(f"{self.name}.{self.lives} had not ended {END_WITHIN:.0f} s after SIGTERM")
        process.kill()
        await process.wait()

    async def retire(self) -> None:
        """Drain, for the last time; returns when there is no process any more."""
        self._retired = True
        if self._process is not None:
            await self.drain(0.0)
        with trio.fail_after(END_WITHIN):
            await self._over.wait()

    async def _living(self) -> trio.Process:
        with trio.fail_after(START_WITHIN):
            while self._process is None:
                await self._there.wait()
        return self._process

    def _judge(self, process: trio.Process) -> None:
        """Killed by us or by its own job is fine, and so is a good end when asked; nothing else is."""
        life = f"{self.name}.{self.lives}"
        if process.returncode == -signal.SIGKILL:
            self.deaths.append(Death(self.name, process.pid, time.time_ns() // 1_000_000))
            self._recorder.crashed(life)
        elif process.returncode not in (0, -signal.SIGTERM) or not self._asked:
            # SIGTERM itself ends one that was still starting and did not listen for it yet.
            self.complaints.append(f"{life} ended by itself with code {process.returncode}: see {self.log}")


async def _bury(process: trio.Process) -> None:
    """Kill what still runs, and close our end of its standard input."""
    # Shielded, because a cancelled run may leave no process behind; SIGKILL does not wait for anybody.
    with trio.CancelScope(shield=True):
        process.kill()
        await process.wait()
        if process.stdin is not None:
            await process.stdin.aclose()
