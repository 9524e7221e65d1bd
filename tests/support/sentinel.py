"""A master, its replicas and the Sentinels that watch them, gone at the end of the block.

The embedded server's binary is a Sentinel when started with `--sentinel`: nothing else is needed.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from support.cluster import call, role, wait
from support.processes import free_port
from support.redis_server import SERVER, ValkeyServer, valkey_server

MASTER = "jobs"
"""The master's name among the Sentinels."""
# Sentinels look at servers and at each other every few seconds; a test has no time for that.
_PERIODS: list[str | int] = [
    *("info-period", 200, "ask-period", 200, "publish-period", 200, "ping-period", 200),
    *("election-timeout", 1000),
]


class Sentinel:
    """One Sentinel process."""

    def __init__(self, master: ValkeyServer, quorum: int) -> None:
        self.port = free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="sentinel-"))
        self._config = self._directory / "sentinel.conf"  # it writes down there what it learns
        self._config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self._directory}\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {master.port} {quorum}\n"
            f"sentinel down-after-milliseconds {MASTER} 1000\nsentinel failover-timeout {MASTER} 3000\n"
        )
        self._log = self._directory / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it answers. Raises `RuntimeError` with its log when it ends instead."""
        with self._log.open("ab") as log:
            command = [SERVER, str(self._config), "--sentinel"]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait(self._answers, "a Sentinel to answer")
        call(self, "SENTINEL", "DEBUG", *_PERIODS)

    def kill(self) -> None:
        """End the process (SIGKILL), paused or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Kill it and delete what it wrote."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def facts(self) -> dict[bytes, bytes]:
        """What it knows of the master."""
        flat: Any = call(self, "SENTINEL", "MASTER", MASTER)
        return dict(zip(flat[::2], flat[1::2], strict=True))

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"the Sentinel ended:\n{self._log.read_text()}")
        try:
            return bool(call(self, "PING") == b"PONG")
        except OSError:
            return False


class SentinelSet:
    """`url` names the master by its Sentinels; `servers` begin with whoever was master first."""

    def __init__(self, servers: list[ValkeyServer], sentinels: list[Sentinel]) -> None:
        self.servers = servers
        self.sentinels = sentinels
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in sentinels)
        self.url = f"redis+sentinel://{hosts}/{MASTER}"

    def master(self) -> ValkeyServer:
        """The server that says itself that it is the master. Raises `LookupError`."""
        for server in self.servers:
            if role(server) == "master":
                return server
        raise LookupError("there is no master")

    def wait_for_master(self) -> None:
        """Return when there is one. Raises `TimeoutError`."""
        wait(lambda: any(role(server) == "master" for server in self.servers), "a master")

    def acquainted(self) -> bool:
        """Whether every Sentinel knows all others and all replicas, so that a failover can happen."""
        others, replicas = b"%d" % (len(self.sentinels) - 1), b"%d" % (len(self.servers) - 1)
        known = [sentinel.facts() for sentinel in self.sentinels]
        return all(f[b"num-other-sentinels"] == others and f[b"num-slaves"] == replicas for f in known)


@contextmanager
def sentinel_set(
    *, sentinels: int = 3, replicas: int = 1, config: tuple[str, ...] = ()
) -> Generator[SentinelSet]:
    """Run a master with replicas, watched by Sentinels that take it for dead after one second."""
    with ExitStack() as stack:
        options = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", *config)
        servers = [stack.enter_context(valkey_server(*options, tcp=True)) for _ in range(1 + replicas)]
        for server in servers[1:]:
            call(server, "REPLICAOF", "127.0.0.1", servers[0].port)
        wait(lambda: all(call(one, "ROLE")[3] == b"connected" for one in servers[1:]), "the replicas")
        watchers: list[Sentinel] = []
        for _ in range(sentinels):
            watchers.append(Sentinel(servers[0], sentinels // 2 + 1))
            stack.callback(watchers[-1].remove)
            watchers[-1].start()
        found = SentinelSet(servers, watchers)
        wait(found.acquainted, "the Sentinels to know each other")
        yield found
