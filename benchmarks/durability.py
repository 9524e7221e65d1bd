"""What an acknowledgement is worth: jobs that were acknowledged, and gone after their server was killed.

Submitters submit single jobs as fast as they can; the server is killed (SIGKILL) meanwhile, and then every
acknowledged job is looked for: on the same server started again, or on the replica that takes over. A busy
disk is made by processes that write and sync large files beside the server's. A split is a replica that
was promoted while the old master still answered for a second: what a failover during a partition does.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import trio
from rich.console import Console
from rich.table import Table

from benchmarks.servers import Server, servers
from penstock.engine import Client, JobContext, Module, Options
from penstock.engine.errors import StoreUnavailable
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

SUBMITTERS = 20
SECONDS = 3.0  # of submitting before the server is killed
WRITERS = 4  # processes that keep a disk busy

paying = Module("paying")


@paying.job(queue="money")
async def pay(ctx: JobContext, number: int) -> None:
    """Never run: only its being there counts."""


class Case(msgspec.Struct, frozen=True):
    """One kind of server, and what submissions ask of it."""

    name: str
    fsync: str
    options: Options = Options()
    replica: bool = False
    split: float = 0.0  # seconds that the old master goes on after the replica was promoted


CASES = (
    Case("fsync always", "always"),
    Case("fsync everysec", "everysec"),
    Case("fsync everysec, durable", "everysec", Options(durable=True)),
    Case("replica after a kill", "always", replica=True),
    Case("replica after a split", "always", replica=True, split=1.0),
    Case("replica after a split, wait_replicas=1", "always", Options(wait_replicas=1), True, 1.0),
)


class Toll(msgspec.Struct):
    """What one kill showed."""

    acknowledged: int
    lost: int
    median: float  # milliseconds until an acknowledgement
    longest: float


async def run(rounds: int) -> None:
    """Kill servers and print a table; every case in turn, on a quiet and on a busy disk."""
    console = Console()
    found: dict[tuple[bool, str], list[Toll]] = {}
    for _ in range(rounds):
        for busy in (False, True):
            for case in CASES:
                with tempfile.TemporaryDirectory(prefix="durable-") as name, _busy_disk(Path(name), busy):
                    found.setdefault((busy, case.name), []).append(await _kill_once(case, Path(name)))
                disk = "busy" if busy else "quiet"
                Console(stderr=True).print(f"{case.name}, {disk} disk: killed", style="dim")
    console.print(_table(found, rounds))


@contextmanager
def _busy_disk(folder: Path, busy: bool) -> Generator[None]:
    if not busy:
        yield
        return
    command = [sys.executable, "-m", "benchmarks.durability"]
    writers = [subprocess.Popen([*command, str(folder / f"ballast-{n}")]) for n in range(WRITERS)]
    try:
        yield
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()


def _write_ballast(path: str) -> None:
    """Write 64 MB and sync them, again and again, until killed."""
    block = os.urandom(1 << 20)
    while True:
        with Path(path).open("wb") as file:
            file.writelines(block for _ in range(64))
            os.fsync(file.fileno())


async def _kill_once(case: Case, folder: Path) -> Toll:
    config = ("--appendonly", "yes", "--appendfsync", case.fsync)
    with servers(folder, config, config) as (first, second):
        await first.start()
        if case.replica:
            await second.start()
            await _follow(second, first)
        async with trio.open_nursery() as nursery:
            if case.split:
                nursery.start_soon(_promote_early, second, case.split)
            submitted = await _submit_until_killed(first, case)
        if case.replica:
            await _command(second, "REPLICAOF", "NO", "ONE")
        else:
            await first.start()
        return await _count(submitted, second if case.replica else first)


async def _follow(replica: Server, master: Server) -> None:
    """Replicate over TCP and return when the replica is in step."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    await _command(master, "CONFIG", "SET", "bind", "127.0.0.1")
    await _command(master, "CONFIG", "SET", "port", port)
    await _command(replica, "REPLICAOF", "127.0.0.1", port)
    async with Redis(master.url) as redis:
        while await redis.execute("WAIT", 1, 1000) != 1:
            await trio.lowlevel.checkpoint()


async def _promote_early(replica: Server, split: float) -> None:
    await trio.sleep(SECONDS - split)
    await _command(replica, "REPLICAOF", "NO", "ONE")


async def _command(server: Server, *words: str | int) -> None:
    async with Redis(server.url) as redis:
        await redis.execute(*words)


async def _submit_until_killed(server: Server, case: Case) -> dict[str, float]:
    """Ids of acknowledged jobs and the seconds that each acknowledgement took."""
    acknowledged: dict[str, float] = {}
    job = pay.using(case.options)

    async def submit(client: Client) -> None:
        while True:
            began = time.perf_counter()
            try:
                receipt = await client.submit(job, len(acknowledged))
            except StoreUnavailable:
                return
            acknowledged[receipt.id] = time.perf_counter() - began

    async with Redis(server.url) as redis, trio.open_nursery() as nursery:
        client = Client(RedisStore(redis))
        for _ in range(SUBMITTERS):
            nursery.start_soon(submit, client)
        await trio.sleep(SECONDS)
        server.kill()
    return acknowledged


async def _count(submitted: dict[str, float], server: Server) -> Toll:
    async with Redis(server.url) as redis:
        names = [f"penstock:{{money}}:job:{job_id.rpartition('.')[2]}" for job_id in submitted]
        there = 0
        for start in range(0, len(names), 1000):
            found = await redis.execute("EXISTS", *names[start : start + 1000])
            assert isinstance(found, int)
            there += found
    milliseconds = [1000 * seconds for seconds in submitted.values()]
    return Toll(len(names), len(names) - there, statistics.median(milliseconds), max(milliseconds))


def _table(found: dict[tuple[bool, str], list[Toll]], rounds: int) -> Table:
    table = Table(
        title=f"{SUBMITTERS} submitters, server killed (SIGKILL) after {SECONDS:g} s, {rounds} rounds",
        caption="sums of all rounds; a power cut takes also what the operating system has not written",
    )
    for heading in ("", "disk", "acknowledged", "lost", "acknowledged within (median)", "longest"):
        table.add_column(heading, justify="left" if heading in ("", "disk") else "right")
    for (busy, name), tolls in found.items():
        table.add_row(
            name,
            "busy" if busy else "quiet",
            f"{sum(toll.acknowledged for toll in tolls):,}",
            f"{sum(toll.lost for toll in tolls):,}",
            f"{statistics.median(toll.median for toll in tolls):.1f} ms",
            f"{max(toll.longest for toll in tolls):,.0f} ms",
        )
    return table


if __name__ == "__main__":
    _write_ballast(sys.argv[1])
