"""The demo's processes: its own Valkey, `penstock api` and `penstock worker`, run as by an operator."""

import json
import sys
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio

from penstock.deploy.embedded import EmbeddedServer
from penstock.engine.errors import PenstockError

ROOT = Path(__file__).resolve().parents[1]
READY_WITHIN = 30.0  # seconds
PENSTOCK = Path(sys.executable).with_name("penstock")


@dataclass
class Server:
    """One `penstock` process, where it answers, and where it writes what."""

    name: str
    log: Path
    spans: Path
    process: trio.Process
    url: str = ""

    def log_lines(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    async def ready(self) -> None:
        """Return when it says where it listens, and there that it is ready."""
        with trio.move_on_after(READY_WITHIN):
            while self.process.poll() is None:
                self.url = self.url or self._listening()
                if self.url and await self._is_ready():
                    return
                await trio.sleep(0.05)
        words = self.log.read_text().splitlines() or ["nothing"]
        raise PenstockError(f"penstock {self.name} did not get ready; its last words: {words[-1]}")

    async def stop(self) -> int | None:
        """SIGTERM: it drains and ends; its exit code."""
        self.process.terminate()
        await self.process.wait()
        return self.process.returncode

    def _listening(self) -> str:
        said = (str(line["event"]).split() for line in self.log_lines())
        return next((word for words in said for word in words if word.startswith("http://")), "")

    async def _is_ready(self) -> bool:
        try:
            await fetch(f"{self.url}/readyz")
        except OSError:  # refused, or 503
            return False
        return True


@dataclass
class System:
    """Everything that runs."""

    valkey: EmbeddedServer
    api: Server
    worker: Server

    @property
    def servers(self) -> list[Server]:
        return [self.api, self.worker]

    async def drain(self) -> list[int | None]:
        """Stop both processes as an orchestrator does; their exit codes."""
        return [await server.stop() for server in self.servers]


@asynccontextmanager
async def running(app: str, folder: Path) -> AsyncGenerator[System]:
    """Run the system for the length of the block; logs and spans stay in `folder`."""
    await trio.Path(folder).mkdir(parents=True, exist_ok=True)
    async with EmbeddedServer.open() as valkey, trio.open_nursery() as nursery:
        start = partial(_start, nursery, folder, app, valkey.url)
        system = System(
            valkey,
            api=await start("api", "--bind", "127.0.0.1:0"),
            worker=await start("worker", "--metrics-bind", "127.0.0.1:0"),
        )
        await system.api.ready()
        await system.worker.ready()
        yield system
        nursery.cancel_scope.cancel()


async def _start(
    nursery: trio.Nursery, folder: Path, app: str, redis: str, name: str, *options: str
) -> Server:
    spans = folder / f"{name}.spans.jsonl"
    spans.unlink(missing_ok=True)  # of the last run
    command = [str(PENSTOCK), name, app, *options, "--redis", redis]
    command += ["--log-format", "json", "--spans-file", str(spans)]
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        run = partial(trio.run_process, command, stdout=output, stderr=output, check=False, cwd=ROOT)
        return Server(name, log, spans, await nursery.start(run))


async def fetch(url: str, body: bytes | None = None, content_type: str = "application/x-ndjson") -> bytes:
    """GET, or POST a body; any HTTP client will do, this one is in the standard library."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": content_type})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # straight to loopback

    def call() -> bytes:
        with opener.open(request, timeout=60) as response:
            answer: bytes = response.read()
            return answer

    return await trio.to_thread.run_sync(call)
