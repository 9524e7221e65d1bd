"""The embedded server: its data, its end, and who may use its folder."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from penstock.deploy import embedded
from penstock.deploy.embedded import EmbeddedServer, command_of, find_allocator, find_executable
from penstock.engine.errors import ConfigurationError, StoreUnavailable
from penstock.engine.transport import Redis
from support.processes import Process, processes

HOLDER = """
import os, sys, trio
from pathlib import Path
from penstock.deploy.embedded import EmbeddedServer
async def hold():
    async with EmbeddedServer.open(Path(sys.argv[1])) as server:
        print("running", server.pid, flush=True)
        await trio.sleep_forever()
trio.run(hold)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Generator[Process]:
    """A process that runs an embedded server on `tmp_path / "data"`."""
    process = Process([sys.executable, "-c", HOLDER, str(tmp_path / "data")], env={}, cwd=tmp_path)
    yield process
    process.kill()


async def get(url: str, key: str) -> object:
    """One value."""
    async with Redis(url) as redis:
        return await redis.execute("GET", key)


async def test_data_survive_a_restart(tmp_path: Path) -> None:
    """What was written in one run is there in the next."""
    async with EmbeddedServer.open(tmp_path / "data") as server, Redis(server.url) as redis:
        await redis.execute("SET", "kept", "yes")
    async with EmbeddedServer.open(tmp_path / "data") as server:
        assert await get(server.url, "kept") == b"yes"


@pytest.mark.skipif(sys.platform != "linux", reason="maps of a process are in /proc")
async def test_it_has_an_allocator_under_it_where_the_machine_has_one() -> None:
    """The bundled server has none but the C library's in it; a process that is told of another keeps that."""
    allocator = find_allocator(find_executable())
    async with EmbeddedServer.open() as server:
        mapped = (Path("/proc") / str(server.pid) / "maps").read_text()
    assert ("jemalloc" in mapped) is (allocator is not None)


def test_no_allocator_is_put_under_another_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was built with one; nor where somebody has chosen one, or where there is none."""
    bundled = find_executable()
    (tmp_path / "libjemalloc.so.2").touch()
    monkeypatch.setattr(embedded, "_LIBRARIES", ("/nowhere", str(tmp_path)))
    assert command_of(bundled) == ["env", f"LD_PRELOAD={tmp_path}/libjemalloc.so.2", bundled]
    assert command_of("/usr/bin/redis-server") == ["/usr/bin/redis-server"]
    monkeypatch.setenv("LD_PRELOAD", "libtcmalloc.so.4")
    assert command_of(bundled) == [bundled]
    monkeypatch.delenv("LD_PRELOAD")
    monkeypatch.setattr(embedded, "_LIBRARIES", ("/nowhere",))
    assert command_of(bundled) == [bundled]


async def test_every_write_is_on_disk_first() -> None:
    """It answers a write when that is on disk, evicts nothing, and listens on no TCP port."""
    expected = {
        "appendonly": b"yes",
        "appendfsync": b"always",
        "maxmemory-policy": b"noeviction",
        "port": b"0",
    }

    async with EmbeddedServer.open() as server, Redis(server.url) as redis:
        found = {name: await redis.execute("CONFIG", "GET", name) for name in expected}

    assert found == {name: [name.encode(), value] for name, value in expected.items()}


async def test_temporary_folder_goes_with_it() -> None:
    """Without a folder of its own, nothing is left behind, and the process is gone."""
    async with EmbeddedServer.open() as server:
        assert server.folder.is_dir()

    assert not server.folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


async def test_asked_for_port() -> None:
    """A TCP port is opened on loopback where one is asked for."""
    with trio.socket.socket() as probe:
        await probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with EmbeddedServer.open(port=port) as server, Redis(f"redis://127.0.0.1:{server.port}") as redis:
        assert await redis.execute("PING") in (b"PONG", "PONG")


async def test_folder_whose_path_is_too_long_for_a_socket(tmp_path: Path) -> None:
    """The socket moves to a short place, and that place goes with the server."""
    folder = tmp_path / ("deep" * 20) / ("deeper" * 10)

    async with EmbeddedServer.open(folder) as server:
        socket = Path(server.url.removeprefix("unix://").partition("?")[0])
        assert await get(server.url, "nothing") is None
        assert folder.resolve() not in socket.parents

    assert not socket.parent.exists()


async def test_folder_with_odd_characters(tmp_path: Path) -> None:
    """Spaces, `?` and `%` in the path do no harm."""
    async with EmbeddedServer.open(tmp_path / "a b?c%20#d") as server:
        assert await get(server.url, "nothing") is None


async def test_second_server_on_one_folder(holder: Process, tmp_path: Path) -> None:
    """The folder's second user is told who has it; the first one is not disturbed."""
    holder.wait_for_line("running")

    with pytest.raises(ConfigurationError, match=rf"is in use by process {holder.pid}: stop that one, or"):
        async with EmbeddedServer.open(tmp_path / "data"):
            pass
    assert await get(f"unix://{tmp_path}/data/valkey.sock", "nothing") is None


async def test_server_ends_with_a_killed_owner(holder: Process, tmp_path: Path) -> None:
    """Nobody is left behind when the owner dies by SIGKILL, and the next one need not wait long."""
    holder.wait_for_line("running")
    async with Redis(f"unix://{tmp_path}/data/valkey.sock") as redis:
        await redis.execute("SET", "kept", "yes")

    holder.send(signal.SIGKILL)
    holder.wait()

    with trio.fail_after(20):
        async with EmbeddedServer.open(tmp_path / "data") as server:
            assert await get(server.url, "kept") == b"yes"


async def test_server_that_dies_cancels_the_block(tmp_path: Path) -> None:
    """A server that ends by itself is not noticed late by a timeout, but ends the block with its log."""
    with pytest.RaisesGroup(
        pytest.RaisesExc(StoreUnavailable, match="ended with code -9.*log: .*valkey.log")
    ):
        async with EmbeddedServer.open(tmp_path / "data") as server:
            os.kill(server.pid, signal.SIGKILL)
            with trio.fail_after(20):
                await trio.sleep_forever()


async def test_stopped_server_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not heed SIGTERM gets SIGKILL after a bounded time."""
    monkeypatch.setattr("penstock.deploy.embedded._STOP_WITHIN", 0.1)
    with trio.fail_after(20):
        async with EmbeddedServer.open(tmp_path / "data") as server:
            os.kill(server.pid, signal.SIGSTOP)

    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


async def test_cancelled_from_outside(tmp_path: Path) -> None:
    """Cancelling the block ends the server too."""
    pids: list[int] = []
    with trio.CancelScope() as scope:
        async with EmbeddedServer.open(tmp_path / "data") as server:
            pids.append(server.pid)
            scope.cancel()
            await trio.sleep_forever()

    assert scope.cancelled_caught
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


@pytest.mark.parametrize("folder", ["/dev/null/data", "/sys/penstock"])
async def test_folder_that_cannot_be_written(folder: str) -> None:
    """The folder is named, with the remedy. (These cannot be written by root either.)"""
    with pytest.raises(ConfigurationError, match=rf"data folder {folder} cannot be used .*--data"):
        async with EmbeddedServer.open(Path(folder)):
            pass


async def test_named_executable_that_is_none(tmp_path: Path) -> None:
    """A server that cannot be run is named."""
    (tmp_path / "text").write_text("no program")

    for name in ("no-such-server", str(tmp_path / "text")):
        with pytest.raises(ConfigurationError, match=rf"--redis-server {name}: there is no such program"):
            async with EmbeddedServer.open(executable=name):
                pass


async def test_named_executable_that_does_not_serve(tmp_path: Path) -> None:
    """A program that ends at once is told with its last words."""
    program = tmp_path / "broken"
    program.write_text("#!/bin/sh\necho I am no server\nexit 3\n")
    program.chmod(0o755)

    with pytest.raises(StoreUnavailable, match="ended with code 3, its last words: I am no server"):
        async with EmbeddedServer.open(executable=str(program)):
            pass


async def test_folder_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is named as such: it may be mended, so it is not the caller's mistake."""

    def no_room(_file: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("penstock.deploy.embedded.os.write", no_room)
    with pytest.raises(StoreUnavailable, match=rf"data folder {tmp_path} has no room left .*--data"):
        async with EmbeddedServer.open(tmp_path):
            pass


@pytest.fixture
def full_disk(tmp_path: Path) -> Generator[Path]:
    """A folder on a disk of 16 kB, all of it taken."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    if os.getuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk takes a root user who may")
    try:
        (disk / "valkey").mkdir()
        (disk / "valkey" / "lock").touch()
        with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(1024))
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_dev_on_a_full_disk(full_disk: Path, tmp_path: Path) -> None:
    """One line that names the folder, exit code 1."""
    with processes(tmp_path) as start:
        dev = start("dev", "support.application:trial", "--bind", "127.0.0.1:0", "--data", str(full_disk))
        assert dev.wait() == 1

    [line] = dev.err
    assert line.startswith(f"penstock: the data folder {full_disk}/valkey has no room left")
