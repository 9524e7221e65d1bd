"""Turns of plain commands in a pipeline: `… REDIS`, or with `redis-benchmark` where its path follows."""

import subprocess
import sys
import time

import trio

from benchmarks.frame.child import Figures, Order, take_turns
from benchmarks.limit.line import Line
from penstock.engine.transport import Address
from penstock.engine.transport.wire import pack

DEEP = 64
"""Commands under way; deeper is no faster here."""
SIZE = 200
"""Bytes of a value: about what a waiting no-op job's record has."""


async def main(url: str, program: str | None = None) -> None:
    """Make turns until nobody asks for another."""
    line = Line(url)

    async def turn(order: Order) -> Figures:
        commands = int(order["jobs"])
        if program is None:
            seconds = _own(line, commands)
        else:
            seconds = await _theirs(program, url, commands)
        return {"seconds": seconds, "pipelined SET": commands / seconds}

    await take_turns(turn)


def _own(line: Line, commands: int) -> float:
    packed = [pack(("SET", "some:key", b"x" * SIZE))] * commands
    began = time.perf_counter()
    line.replies(packed, DEEP)
    return time.perf_counter() - began


async def _theirs(program: str, url: str, commands: int) -> float:
    address = Address.parse(url)
    where = ["-s", address.path] if address.path is not None else ["-p", str(address.port)]
    command = [program, *where, "-t", "set", "-P", str(DEEP), "-c", "1", "-d", str(SIZE), "-n", str(commands)]
    told = await trio.run_process([*command, "--csv"], capture_stdout=True, stderr=subprocess.DEVNULL)
    rate = told.stdout.decode().splitlines()[-1].split(",")[1].strip('"')
    return commands / float(rate)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
