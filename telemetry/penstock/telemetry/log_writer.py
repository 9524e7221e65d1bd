"""Log lines leave here: a bounded queue in front of a thread, because a stalled stream must stall nobody.

`write` never blocks. When the stream does (a full pipe, a frozen terminal) lines pile up to a bound;
beyond it new ones are dropped and counted. What piled up while a write was in flight leaves in the next.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TextIO

CAPACITY = 8_192
"""Lines held for a stream that stalls; with tracebacks cut at 8,000 characters at most some 64 MiB."""


class LogWriter:
    """Writes lines to `stream` from a thread of its own. Safe to use from any thread."""

    def __init__(self, stream: TextIO, *, capacity: int = CAPACITY) -> None:
        self.dropped = 0
        """Lines that were never written: the queue was full, the stream failed, or the writer was closed."""
        self._capacity = capacity
        self._lines: deque[str] = deque()
        self._pending = threading.Event()
        self._closing = False
        self._counting = threading.Lock()
        self._put = _sink(stream)
        # A daemon: a stream that never drains may not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="penstock-log-writer", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Hand over one line, without its line feed; it is dropped if there is no room."""
        if self._closing or len(self._lines) >= self._capacity:
            self._drop(1)
            return
        self._lines.append(line)
        if not self._pending.is_set():  # cheaper than `set`, which takes a lock
            self._pending.set()

    def close(self, timeout: float) -> bool:
        """Write what is queued, for at most `timeout` seconds; True if all of it left.

        Blocks: call it off the loop. Lines handed over afterwards are dropped and counted.
        """
        self._closing = True
        self._pending.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._pending.wait()
            # Cleared before the queue is read: a line that arrives later sets it again.
            self._pending.clear()
            while self._lines:
                self._write_queued()
            if self._closing:
                return

    def _write_queued(self) -> None:
        # All of it: on a busy loop this thread gets the interpreter's lock once in five milliseconds.
        batch = [self._lines.popleft() for _ in range(len(self._lines))]
        try:
            self._put(batch)
        except (OSError, ValueError):  # a closed pipe or stream: nobody is left to tell
            self._drop(len(batch))

    def _drop(self, lines: int) -> None:
        with self._counting:
            self.dropped += lines


def _sink(stream: TextIO) -> Callable[[list[str]], None]:
    """How lines reach `stream`: its descriptor if it has one, else its own `write`.

    Past Python's buffers, because a thread blocked inside one would hold its lock, on which the
    interpreter aborts at exit ("could not acquire lock for <_io.BufferedWriter> at interpreter shutdown").
    """
    try:
        stream.fileno()
    except (OSError, ValueError, AttributeError):  # io.StringIO, or a stand-in that is no file

        def put(lines: list[str]) -> None:
            stream.write("\n".join(lines) + "\n")
            stream.flush()

        return put

    # Asked for at each write: once the stream is closed the number may be somebody else's socket.
    def put_whole(lines: list[str]) -> None:
        for chunk in _chunks(lines):
            _write_all(stream.fileno(), chunk)

    return put_whole


def _chunks(lines: list[str]) -> Iterator[bytes]:
    """Whole lines in chunks of at most PIPE_BUF bytes, which a pipe does not mix with others' (POSIX, write).

    A line that is longer is a chunk of its own, and may be mixed.
    """
    chunk = b""
    for line in lines:
        encoded = line.encode("utf-8", "backslashreplace") + b"\n"
        if chunk and len(chunk) + len(encoded) > select.PIPE_BUF:
            yield chunk
            chunk = b""
        chunk += encoded
    if chunk:
        yield chunk


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # another process sharing the terminal made it non-blocking
            select.select([], [descriptor], [])
