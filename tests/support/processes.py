"""Real processes for tests: started, listened to, signalled, and gone at the end whatever happens."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

TESTS = Path(__file__).parents[1]
PENSTOCK = str(Path(sys.executable).with_name("penstock"))
WITHIN = 30.0
"""Seconds that anything may take on a machine that is swamped."""


class Process:
    """A process and every line it has written so far to `out` and `err`."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self.command = command
        self.out: list[str] = []
        self.err: list[str] = []
        self._news = threading.Condition()
        # A session of its own, so that the end of a test takes its children too.
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=_environment(env),
            cwd=cwd,
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self._popen.stdout, self.out), (self._popen.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def wait_for_line(self, pattern: str, *, within: float = WITHIN) -> re.Match[str]:
        """The first line, written or yet to be written to either stream, that `pattern` is found in."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            found.extend(m for line in (*self.out, *self.err) if (m := re.search(pattern, line)))
            return bool(found) or self._popen.poll() is not None

        with self._news:
            self._news.wait_for(look, within)
        if not found:
            self._popen.poll()
            look()  # what it wrote between the last look and its end
        if not found:
            raise AssertionError(f"no line has {pattern!r}\n{self}")
        return found[0]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self._popen.send_signal(number)

    def wait(self, *, within: float = WITHIN) -> int:
        """The exit code, once the process has ended and everything it wrote has been read."""
        try:
            code = self._popen.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {within} seconds\n{self}") from None
        for reader in self._readers:
            reader.join(within)
        return code

    def terminate(self, *, within: float = WITHIN) -> int:
        """SIGTERM, then the exit code."""
        self.send(signal.SIGTERM)
        return self.wait(within=within)

    def kill(self) -> None:
        """End the process and its children as the kernel would, and free what we hold of it."""
        with suppress(ProcessLookupError):  # all of them have ended
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self._popen.stdout, self._popen.stderr):
            if stream is not None:
                stream.close()

    def __str__(self) -> str:
        state = self._popen.returncode
        return "\n".join([f"$ {' '.join(self.command)}  [{state}]", *self.out, "--- stderr", *self.err])

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        for line in stream:
            with self._news:
                lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


Start = Callable[..., Process]


@contextmanager
def processes(cwd: Path) -> Generator[Start]:
    """Gives `start(*command, **env)`; whatever was started is killed at the block's end.

    A command that begins with a word of the command line (`"worker"`) is one of `penstock`.
    """
    started: list[Process] = []

    def start(*command: str, **env: str) -> Process:
        process = Process([PENSTOCK, *command], env=env, cwd=cwd)
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            process.kill()


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Ours without settings of whoever runs the tests; applications are found in tests/."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PENSTOCK_", "OTEL_"))}
    return {**ours, "PYTHONPATH": str(TESTS), "PYTHONUNBUFFERED": "1", "COLUMNS": "100", **extra}
