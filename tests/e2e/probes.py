"""What orchestrators and scrapers see of a process."""

import re
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager

import trio

from support.processes import Process

LISTENS = r"Running on (\S+)"
_ASK_EVERY = 0.05  # seconds


@contextmanager
def telling(*processes: Process) -> Generator[None]:
    """What went wrong in the block is shown with all that the processes have written."""
    try:
        yield
    except BaseException as error:
        error.add_note("\n\n".join(map(str, processes)))
        raise


def listens(process: Process) -> str:
    """The URL of its API or probes."""
    return process.wait_for_line(LISTENS)[1]


def status(url: str) -> int:
    """The status of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


async def until_ready(url: str, expected: int, *, within: float = 60.0) -> float:
    """Return once `/readyz` says so, and how many seconds that took; nobody tells, so it is asked."""
    began = time.monotonic()
    with trio.fail_after(within):
        while await trio.to_thread.run_sync(status, f"{url}/readyz") != expected:  # noqa: ASYNC110
            await trio.sleep(_ASK_EVERY)
    return time.monotonic() - began


def sample(url: str, series: str) -> float:
    """The value of one series, named as it is written."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as response:
        found = re.search(rf"^{re.escape(series)} (\S+)$", response.read().decode(), re.MULTILINE)
    assert found is not None, series
    return float(found[1])
