"""Sees to it that nothing outlives the run, should it be killed.

It is a process that is told, by its standard input, of process groups (`+4711`, `-4711` once one has ended)
and of single processes (`!4711`). When the pipe ends, whoever held it is gone, and what is left is ended.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress


class Keeper:
    """The process, and the pipe to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def tell(self, word: str) -> None:
        """Tell it of a process."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """Have it end what is left."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def main() -> None:
    """Listen until the end of the pipe, then end everybody."""
    groups: set[int] = set()
    singles: set[int] = set()
    for line in sys.stdin:
        number = int(line[1:])
        if line[0] == "!":
            singles.add(number)
        elif line[0] == "+":
            groups.add(number)
        else:
            groups.discard(number)
            singles.discard(number)
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    for single in singles:
        with suppress(ProcessLookupError):
            os.kill(single, signal.SIGQUIT)  # PostgreSQL ends its children on that, and not on SIGKILL


if __name__ == "__main__":
    main()
