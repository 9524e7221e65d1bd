"""One real program that runs: its command, its log in a file, and its end, whatever happens."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from verify.asking import until
from verify.programs.keeper import Keeper

READY_WITHIN = 90.0
"""Seconds that a start may take on a machine that is swamped; most take one or two."""
STOP_WITHIN = 40.0
"""More than a worker's grace and the flush of its telemetry."""


class DidNotStart(Exception):
    """A program ended, or was not ready in time; the message has the end of its log."""


class Program:
    """A process group of its own; `start` after `stop` or `kill` runs the same command again."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        keeper: Keeper,
        ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Its log is `<folder>/<name>.log`. `ready` is asked until it says so; what it raises means no."""
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = list(command)
        self._folder = folder
        self._keeper = keeper
        self._ready = ready
        self._env = {**clean_environment(), **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    def start(self) -> None:
        """Return once it is ready; raises `DidNotStart`."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Begin to start; `wait_until_ready` is to follow."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=self._env,
                start_new_session=True,
            )
        self._keeper.tell(f"+{self._process.pid}")

    def wait_until_ready(self) -> None:
        """Return once it is, after a start or an outage of something else; raises `DidNotStart`."""

        def ready_or_gone() -> bool:
            return (self._process is not None and self._process.poll() is not None) or _says_yes(self._ready)

        try:
            until(ready_or_gone, "it is ready", within=READY_WITHIN)
        except AssertionError as late:
            raise DidNotStart(f"{self.name}: {late}\n{self.last_lines()}") from None
        if self._process is None or self._process.poll() is not None:
            raise DidNotStart(f"{self.name} has ended\n{self.last_lines()}")

    def stop(self) -> int:
        """SIGTERM, and the exit code; raises `AssertionError` if it does not end."""
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {STOP_WITHIN} s of SIGTERM") from None
        self._forget()
        return code

    def kill(self) -> None:
        """End it and its children as the kernel would; nothing if it does not run."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._forget()

    def last_lines(self, count: int = 8) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(line[:400] for line in lines[-count:])

    def _forget(self) -> None:
        if self._process is not None:
            self._keeper.tell(f"-{self._process.pid}")
            self._process = None


def clean_environment() -> dict[str, str]:
    """Ours without settings of whoever runs this."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PENSTOCK_", "OTEL_"))}


def _says_yes(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except OSError:  # nobody listens yet
        return False
