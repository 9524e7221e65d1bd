"""A real PostgreSQL of one's own: on a private unix socket and a port, gone at the end of the block."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from support.debian_tools import folder_of
from support.processes import free_port

WITHIN = 60.0
"""Seconds that a start may take on a machine that is swamped; it takes one or two."""


class PostgresServer:
    """One server process; `url` and `directory` survive `kill` and `start`."""

    def __init__(self, binaries: Path, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._binaries = binaries
        self._data = directory / "data"
        self._log = directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        somebody = _somebody() if os.geteuid() == 0 else None
        self._user = somebody[0] if somebody else None
        self._group = somebody[1] if somebody else None
        self._env = os.environ | _libraries(binaries)

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases, over the unix socket."""
        return (
            f"postgresql://penstock@/{database}?host={quote(str(self.directory), safe='')}&port={self.port}"
        )

    def make(self) -> None:
        """Make the data folder. Raises `RuntimeError` with what `initdb` says."""
        options = ("--username=penstock", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        made = self._run("initdb", "-D", str(self._data), *options)
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")

    def start(self) -> None:
        """Start the process and return when it answers; raises `RuntimeError` with its log otherwise."""
        command = [
            *(str(self._binaries / "postgres"), "-D", str(self._data), "-k", str(self.directory)),
            *("-c", "listen_addresses=127.0.0.1", "-p", str(self.port)),
            # Nothing here has to outlive a power cut.
            *("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=16MB"),
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=self._env,
                user=self._user,
                group=self._group,
            )
        deadline = time.monotonic() + WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"postgres did not start:\n{self._log.read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it at once, without waiting for its clients: `immediate` shutdown, then by force."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)  # SIGKILL would leave its children
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def query(self, sql: str, database: str = "postgres") -> str:
        """What `psql` prints, unaligned. Raises `RuntimeError` with what it says."""
        options = ("-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "penstock", "-d", database, "-c", sql)
        done = self._run("psql", "-h", str(self.directory), "-p", str(self.port), *options)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def _answers(self) -> bool:
        where = ("-h", str(self.directory), "-p", str(self.port))
        return self._run("pg_isready", "-q", *where).returncode == 0

    def _run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._binaries / tool), *arguments],
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
            cwd=self.directory,
            env=self._env,
            user=self._user,
            group=self._group,
        )


def binaries() -> Path:
    """The folder of `postgres` and `initdb`; skips or fails as `folder_of`."""
    return folder_of("PostgreSQL", "postgresql")


@contextmanager
def postgres_server() -> Generator[PostgresServer]:
    """Run a server with nothing in it."""
    tools = binaries()
    # Not pytest's folder, which only root may enter; and the path of a socket has 107 characters at most.
    directory = Path(tempfile.mkdtemp(prefix="penstock-pg-"))
    try:
        if os.geteuid() == 0:
            os.chown(directory, *_somebody())
        server = PostgresServer(tools, directory)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _somebody() -> tuple[int, int]:
    """User and group to be instead of root, as whom PostgreSQL refuses to run."""
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    return user.pw_uid, user.pw_gid


def _libraries(tools: Path) -> dict[str, str]:
    """Where the libraries of a package lie that was only unpacked."""
    return {"LD_LIBRARY_PATH": ":".join(map(str, tools.parents[2].glob("*-linux-gnu"))), "LC_ALL": "C"}
