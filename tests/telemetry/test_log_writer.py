"""The writer of log lines: bounded, off the loop, and honest about what it loses."""

import io
import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import trio

from penstock.telemetry.logs import writer as log_writer
from penstock.telemetry.logs.writer import LogWriter

SOON = 5.0  # seconds; a bound, not a wait


class Gate(io.StringIO):
    """A stream that stalls until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.stalled = threading.Event()
        self.opened = threading.Event()

    def write(self, text: str) -> int:
        self.stalled.set()
        self.opened.wait(SOON)
        return super().write(text)


class Counting(io.StringIO):
    """A stream that counts how often it is written to."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


def test_lines_arrive_in_order() -> None:
    """What is written first stands first, each on a line of its own."""
    stream = io.StringIO()
    writer = LogWriter(stream)

    for number in range(1_000):
        writer.write(b"%d" % number)

    assert writer.close(SOON)
    assert [str(number) for number in range(1_000)] == stream.getvalue().splitlines()
    assert not any(writer.dropped.values())


async def test_a_stalled_stream_does_not_stall_the_loop() -> None:
    """Lines beyond the bound are dropped and counted; the loop goes on meanwhile."""
    stream = Gate()
    writer = LogWriter(stream, capacity=10)
    writer.write(b"first")
    await trio.to_thread.run_sync(stream.stalled.wait, SOON)  # the thread is stuck with it now

    with trio.fail_after(SOON):
        for _ in range(100):
            writer.write(b"more")
            await trio.lowlevel.checkpoint()

    assert not stream.opened.is_set()
    assert writer.dropped == {"queue_full": 90, "stream_failed": 0, "closed": 0}
    stream.opened.set()
    assert await trio.to_thread.run_sync(writer.close, SOON)
    assert ["first", *["more"] * 10] == stream.getvalue().splitlines()


def test_closing_is_bounded() -> None:
    """A stream that stays stalled costs the given time and no more."""
    stream = Gate()
    writer = LogWriter(stream)
    writer.write(b"stuck")

    assert not writer.close(0.01)
    stream.opened.set()


def test_a_full_pipe_stalls_only_the_thread() -> None:
    """The same through a real pipe that nobody reads, which is how a stalled stdout looks."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w") as stream:
        writer = LogWriter(stream, capacity=4)
        for _ in range(50):
            writer.write(b"x" * 100_000)  # more than a pipe holds
        full = writer.dropped["queue_full"]

        assert not writer.close(0.01)
        assert full >= 40
        reader.close()  # the blocked write fails, and the thread ends
        assert writer.close(SOON)
        assert writer.dropped == {"queue_full": full, "stream_failed": 50 - full, "closed": 0}


def test_a_closed_stream_loses_lines_but_not_the_writer() -> None:
    """Lines that a stream refuses are counted."""
    stream = io.StringIO()
    writer = LogWriter(stream)
    stream.close()
    writer.write(b"into the void")

    assert writer.close(SOON)
    assert writer.dropped == {"queue_full": 0, "stream_failed": 1, "closed": 0}


def test_lines_after_the_end_are_counted() -> None:
    """A closed writer takes nothing more, and says so."""
    writer = LogWriter(io.StringIO())
    writer.close(SOON)
    writer.write(b"late")

    assert writer.dropped == {"queue_full": 0, "stream_failed": 0, "closed": 1}


def test_a_non_blocking_descriptor_is_waited_for() -> None:
    """A terminal that another program made non-blocking loses nothing."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w") as stream:
        writer = LogWriter(stream)
        for _ in range(20):
            writer.write(b"y" * 20_000)  # more than a pipe holds
        received = b""
        while len(received) < 20 * 20_001:
            readable, _, _ = select.select([reader], [], [], SOON)
            assert readable
            received += os.read(reader.fileno(), 1 << 20)

        assert writer.close(SOON)
        assert not any(writer.dropped.values())


def test_a_closed_stream_is_not_written_to_by_its_number(tmp_path: Path) -> None:
    """Its descriptor may be somebody else's file or socket by then."""
    with (tmp_path / "log").open("w") as stream:
        descriptor = stream.fileno()
        writer = LogWriter(stream)
    with (tmp_path / "other").open("w") as other:
        assert other.fileno() == descriptor
        writer.write(b"late")
        assert writer.close(SOON)

    assert writer.dropped["stream_failed"] == 1
    assert (tmp_path / "other").read_text() == ""


_WRITE = """
import json, sys
from penstock.telemetry.logs.writer import LogWriter
writer = LogWriter(sys.stderr)
for number in range(1500):
    pad = sys.argv[1] * (9_000 if number % 100 == 0 else 300)  # more than PIPE_BUF now and then
    writer.write(json.dumps({"process": sys.argv[1], "number": number, "pad": pad}).encode())
writer.close(30)
"""


def _lines_of(names: str, stderr: int) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", _WRITE, name], stderr=stderr) for name in names]
    os.close(stderr)
    assert [writer.wait(60) for writer in writers] == [0] * len(names)


def _check(written: bytes, names: str) -> None:
    """Every line whole, and each process's in their order."""
    lines = [json.loads(line) for line in written.splitlines()]
    for name in names:
        assert [line["number"] for line in lines if line["process"] == name] == list(range(1500))


@pytest.mark.parametrize("locks", [True, False], ids=["locks", "no locks"])
def test_lines_of_several_processes_do_not_mix(locks: bool) -> None:
    """Worker processes share one pipe, and whoever reads it is slower than they are: each line is whole,
    those longer than PIPE_BUF too; without locks, which not every kernel gives, at least the shorter ones."""
    code = _WRITE if locks else _WITHOUT_LOCKS + _WRITE.replace("9_000", "300")
    reading, writing = os.pipe()
    writers = [subprocess.Popen([sys.executable, "-c", code, name], stderr=writing) for name in "abcd"]
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        written = b"".join(iter(lambda: pipe.read(4096), b""))

    assert [writer.wait(60) for writer in writers] == [0] * 4
    _check(written, "abcd")


_WITHOUT_LOCKS = """
import fcntl
def refuse(*_): raise OSError("no locks here")
fcntl.lockf = refuse
"""


def test_lines_of_several_processes_do_not_mix_in_a_file(tmp_path: Path) -> None:
    """The same where they append to one regular file, in writes of any size."""
    path = tmp_path / "log"
    _lines_of("abcd", os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND))

    _check(path.read_bytes(), "abcd")


def test_whoever_piles_up_lines_lets_the_thread_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that is never idle starves other threads of the interpreter's lock; so it lets go of it once in
    512 lines that wait, and not at all for a queue that is full."""
    loop = threading.get_ident()
    naps: list[float] = []

    def nap(seconds: float) -> None:
        if threading.get_ident() == loop:
            naps.append(seconds)

    monkeypatch.setattr(log_writer, "time", SimpleNamespace(sleep=nap))
    stream = Gate()
    writer = LogWriter(stream, capacity=2_000)
    writer.write(b"first")
    assert stream.stalled.wait(SOON)
    for _ in range(3_000):
        writer.write(b"more")

    assert len(naps) == 3
    assert sum(naps) < 0.001  # seconds, all of them together
    stream.opened.set()
    assert writer.close(SOON)


def test_lines_that_come_soon_after_another_wake_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line is written at once; then the thread rests, and what came meanwhile leaves in one write."""
    resting, enough = threading.Event(), threading.Event()

    def rest(seconds: float) -> None:
        assert seconds == log_writer.REST
        resting.set()
        enough.wait(SOON)

    monkeypatch.setattr(log_writer, "time", SimpleNamespace(sleep=rest))
    stream = Counting()
    writer = LogWriter(stream)
    writer.write(b"first")
    assert resting.wait(SOON)
    for _ in range(100):
        writer.write(b"more")

    assert stream.getvalue() == "first\n"
    assert not writer._pending.is_set()
    enough.set()
    assert writer.close(SOON)
    assert stream.getvalue().splitlines() == ["first", *["more"] * 100]
    assert stream.writes == 2


def test_text_is_written_too() -> None:
    """Where somebody has put his own renderer into structlog's configuration, lines come as text."""
    stream = io.StringIO()
    writer = LogWriter(stream)
    for line in (b"bytes", "text é"):
        writer.write(cast(bytes, line))

    assert writer.close(SOON)
    assert stream.getvalue() == "bytes\ntext é\n"
