"""A process whose log goes where a container's does: into a file, in the format of a runtime (CRI)."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from support.processes import PENSTOCK, TESTS, WITHIN

POD = "penstock_penstock-worker-6f9c7d-x7k2p_0af76519-16cd-43dd-8448-eb211c80319c"
"""Namespace, name and id, as the kubelet names the folder of a pod's logs."""
PART = 200
"""Characters of a line that go together; runtimes take 16 KiB."""


class Container:
    """`penstock` with these arguments, which runs; what it wrote to standard error is in `lines`, too."""

    def __init__(self, pods: Path, command: tuple[str, ...]) -> None:
        self.lines: list[str] = []
        folder = pods / POD / "penstock"
        folder.mkdir(parents=True)
        self._news = threading.Condition()
        self._popen = subprocess.Popen(
            [PENSTOCK, *command],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS)},
        )
        assert self._popen.stderr is not None
        self._runtime = threading.Thread(target=self._keep, args=(self._popen.stderr, folder / "0.log"))
        self._runtime.start()

    @property
    def resident(self) -> int:
        """Bytes of memory that it has (Linux: proc(5), `statm`)."""
        pages = Path(f"/proc/{self._popen.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its lines as they were meant."""
        return [json.loads(line) for line in self.lines]

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        """The first line that has it, once there is one."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            found.extend(match for line in self.lines if (match := re.search(pattern, line)))
            return bool(found) or self._popen.poll() is not None

        with self._news:
            self._news.wait_for(look, WITHIN)
        assert found, self.lines
        return found[0]

    def terminate(self) -> None:
        """SIGTERM; returns once it has ended in order and all that it wrote is in the file."""
        self._popen.terminate()
        assert self._popen.wait(WITHIN) == 0, self.lines
        self._runtime.join()

    def close(self) -> None:
        """Kill what still runs."""
        with suppress(ProcessLookupError):
            self._popen.kill()
        self._popen.wait()
        self._runtime.join()

    def _keep(self, stream: IO[str], path: Path) -> None:
        with stream, path.open("w", buffering=1) as file:
            for line in stream:
                file.write(as_a_runtime_writes(line.rstrip("\n")))
                with self._news:
                    self.lines.append(line.rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()


def as_a_runtime_writes(line: str) -> str:
    """One line in the kubelet's format, a long one in parts."""
    parts = [line[at : at + PART] for at in range(0, len(line), PART)] or [""]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    tags = ["P"] * (len(parts) - 1) + ["F"]
    return "".join(f"{now} stderr {tag} {part}\n" for tag, part in zip(tags, parts, strict=True))


@contextmanager
def container(pods: Path, *command: str) -> Generator[Container]:
    """Such a process, with its log below `pods`; gone at the end whatever happens."""
    running = Container(pods, command)
    try:
        yield running
    finally:
        running.close()
