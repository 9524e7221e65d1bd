"""Log lines leave here: a bounded queue in front of a thread, because a stalled stream must stall nobody.

`write` never blocks. When the stream does (a full pipe, a frozen terminal) lines pile up to a bound;
beyond it new ones are dropped and counted. Each run of the thread costs the loop the interpreter's lock, so
it runs seldom: a line that comes alone is written at once, what follows within `REST` seconds goes together.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from penstock.telemetry.logs.sink import open_sink

CAPACITY = 8_192
"""Lines held for a stream that stalls: some 3 MiB of the usual ones, 256 MiB of the longest there can be."""
REST = 0.02
"""Seconds between two runs of the thread; what a killed process may lose of its last lines."""

_AT_ONCE = 512  # lines joined while holding the interpreter's lock: some 30 microseconds
_NAP = 0.0001  # seconds


class LogWriter:
    """Writes lines to `stream` from a thread of its own. Safe to use from any thread."""

    def __init__(self, stream: TextIO, *, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lines: list[bytes] = []
        self._asleep = False
        self._pending = threading.Event()
        self._closing = False
        self._counting = threading.Lock()
        self._dropped = {"queue_full": 0, "stream_failed": 0, "closed": 0}
        self._put = open_sink(stream)
        # A daemon: a stream that never drains may not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="penstock-log-writer", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> Mapping[str, int]:
        """Lines never written, by reason: `queue_full`, `stream_failed`, or handed over once `closed`."""
        return self._dropped

    @property
    def waiting(self) -> int:
        """Lines that are not written yet."""
        return len(self._lines)

    def write(self, line: bytes) -> None:
        """Hand over one line, without its line feed; it is dropped if there is no room."""
        self.write_all((line,))

    def write_all(self, fresh: Sequence[bytes]) -> None:
        """Hand over some lines; those are dropped for which there is no room."""
        lines = self._lines
        before = len(lines)
        room = 0 if self._closing else max(0, self._capacity - before)
        if room < len(fresh):
            self._drop("closed" if self._closing else "queue_full", len(fresh) - room)
            fresh = fresh[:room]
        lines += fresh
        if self._asleep and fresh:
            self._asleep = False
            self._pending.set()
        if (before + len(fresh)) // _AT_ONCE > before // _AT_ONCE:
            # A busy loop that lets go of the interpreter's lock for short system calls only starves every
            # other thread. What has piled up is let go by whoever piles it up: 0.2 µs a line.
            time.sleep(_NAP)

    def close(self, timeout: float) -> bool:
        """Write what is queued, for at most `timeout` seconds; True if all of it left.

        Blocks: call it off the loop. Lines handed over afterwards are dropped and counted.
        """
        self._closing = True
        self._pending.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self._lines or not self._closing:
            if not self._lines:
                self._sleep()
            while self._lines:
                self._write_queued()
            if not self._closing:
                time.sleep(REST)

    def _sleep(self) -> None:
        self._asleep = True
        # Looked at again: a line that came before the flag was up has woken nobody.
        if not self._lines and not self._closing:
            self._pending.wait()
        self._asleep = False
        self._pending.clear()

    def _write_queued(self) -> None:
        # No lock needed: each of these two steps is one for the interpreter, and others only append.
        batch = self._lines[:_AT_ONCE]
        del self._lines[: len(batch)]
        try:
            self._put(_joined(batch), bool(self._lines))
        except (OSError, ValueError):  # a closed pipe or stream: nobody is left to tell
            self._drop("stream_failed", len(batch))

    def _drop(self, reason: str, lines: int) -> None:
        with self._counting:
            self._dropped[reason] += lines


def _joined(lines: list[bytes]) -> bytes:
    try:
        return b"\n".join(lines) + b"\n"
    except TypeError:  # text: somebody has put renderers of his own into structlog's configuration
        return "".join(f"{line if isinstance(line, str) else line.decode()}\n" for line in lines).encode()
