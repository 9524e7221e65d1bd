"""How bytes reach the stream that log lines go to: whole lines, whoever else writes to it.

| stream | who keeps lines whole |
|---|---|
| regular file | the kernel: one `write` at a time, at the end of the file that all of them share |
| terminal | the kernel: one `write` at a time |
| pipe, socket | a record lock (`fcntl`) on the pipe itself, which all worker processes that share it take |

By itself a pipe keeps no more than PIPE_BUF bytes together (POSIX, write), a dozen lines. To write so few at
a time is too slow beside a busy loop: a thread that has let go of the interpreter's lock gets it back after
five milliseconds, so that a healthy pipe would take 2,400 lines a second. What does not take the lock
(somebody's `print`) comes between two lines, and into the middle of one only while the reader is behind.
"""

import fcntl
import os
import select
import stat
from collections.abc import Callable, Iterator
from typing import TextIO

Sink = Callable[[bytes, bool], None]
"""Takes whole lines, and whether more of them follow at once."""


def open_sink(stream: TextIO) -> Sink:
    """What writes to the descriptor of `stream` if it has one, else to its own `write`. It may block.

    Past Python's buffers, because a thread blocked inside one would hold its lock, on which the
    interpreter aborts at exit ("could not acquire lock for <_io.BufferedWriter> at interpreter shutdown").
    The sink raises `OSError` or `ValueError` where the stream takes nothing more.
    """
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError, AttributeError):  # io.StringIO, a stand-in that is no file, or closed

        def put_text(data: bytes, _more: bool) -> None:
            stream.write(data.decode("utf-8", "replace"))
            stream.flush()

        return put_text

    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return _Shared(stream)

    # Asked for at each write: once the stream is closed the number may be somebody else's socket.
    def put(data: bytes, _more: bool) -> None:
        _write_all(stream.fileno(), data)

    return put


class _Shared:
    """A pipe or socket; its lock is kept from the first of several writes to the last."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._locked = False

    def __call__(self, data: bytes, more: bool) -> None:
        descriptor = self._stream.fileno()
        try:
            if self._locked or self._lock(descriptor):
                _write_all(descriptor, data)
            else:  # no locks here: slower, and a line longer than a chunk may be mixed
                for chunk in _chunks(data):
                    _write_all(descriptor, chunk)
        except BaseException:
            more = False
            raise
        finally:
            if self._locked and not more:
                self._locked = False
                fcntl.lockf(descriptor, fcntl.LOCK_UN)

    def _lock(self, descriptor: int) -> bool:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX)
        except OSError:
            return False
        self._locked = True
        return True


def _chunks(data: bytes) -> Iterator[bytes]:
    """Whole lines, in chunks of at most PIPE_BUF bytes unless one line is longer."""
    start = 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + select.PIPE_BUF) + 1 or data.find(b"\n", start) + 1
        yield data[start:end]
        start = end


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # another process sharing the terminal made it non-blocking
            select.select([], [descriptor], [])
