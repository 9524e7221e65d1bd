"""On what a benchmark ran: the machine, without its name, and the versions of everything that took part."""

import hashlib
import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from penstock.deploy.embedded import find_allocator, find_executable

ROOT = Path(__file__).parents[2]
_PARTS = ("engine", "http", "telemetry", "deploy")
_PACKAGES = ("trio", "anyio", "hiredis", "msgspec", "hypercorn", "structlog", "aioprometheus")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What decides absolute figures, and nothing that says whose machine it is."""

    processor: str
    cores: int  # that this process may use
    memory: float  # GiB
    kernel: str
    load: float  # processes that wanted to run in the minute before


def describe_machine() -> Machine:
    """The machine as it is now."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=round(pages / 2**30, 1),
        kernel=f"{platform.system()} {platform.release()}",
        load=round(os.getloadavg()[0], 2),
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Python, the server, and the libraries that the hot path goes through."""
    found = {"python": ".".join(map(str, sys.version_info[:3])), "server": _server()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _server() -> str:
    program = find_executable()
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()
    words = [said[0], *(word.removeprefix("v=") for word in said if word.startswith("v="))]
    return " ".join((*words, "with jemalloc") if find_allocator(program) else words)


@cache
def source() -> str:
    """Twelve letters that stand for Penstock's code: the same code, the same letters."""
    digest = hashlib.sha256()
    files = [path for part in _PARTS for kind in ("*.py", "*.lua") for path in (ROOT / part).rglob(kind)]
    for path in sorted(files):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
