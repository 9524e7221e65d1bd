"""Reading what a server and a process have used so far."""

import os
from pathlib import Path

from penstock.engine.transport import Redis

_TICK = os.sysconf("SC_CLK_TCK")


async def info(redis: Redis, section: str) -> dict[str, float]:
    """The numbers in a section of INFO."""
    reply = await redis.execute("INFO", section)
    assert isinstance(reply, bytes)
    found = dict[str, float]()
    for line in reply.decode().splitlines():
        name, _, value = line.partition(":")
        try:
            found[name] = float(value)
        except ValueError:
            continue
    return found


async def main_thread(redis: Redis) -> float:
    """Microseconds that the thread which runs commands has used."""
    used = await info(redis, "cpu")
    return 1e6 * (used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"])


def process(pid: int) -> float:
    """Microseconds that a process has used, all threads, to a hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1e6 * (int(fields[11]) + int(fields[12])) / _TICK


def waited(pid: int) -> tuple[int, int]:
    """Nanoseconds for which a process's main thread has run, and for which it has waited for a core."""
    ran, waiting, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(ran), int(waiting)


def share(before: tuple[int, int], after: tuple[int, int]) -> float:
    """The part of the time it wanted a core in which it had one: 1 on a machine that has enough of them."""
    ran, waiting = after[0] - before[0], after[1] - before[1]
    return ran / (ran + waiting) if ran + waiting else 1.0
