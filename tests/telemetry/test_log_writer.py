"""The writer of log lines: bounded, off the loop, and honest about what it loses."""

import io
import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

import trio

from penstock.telemetry.log_writer import LogWriter

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


def test_lines_arrive_in_order() -> None:
    """What is written first stands first, each on a line of its own."""
    stream = io.StringIO()
    writer = LogWriter(stream)

    for number in range(1_000):
        writer.write(str(number))

    assert writer.close(SOON)
    assert [str(number) for number in range(1_000)] == stream.getvalue().splitlines()
    assert writer.dropped == 0


async def test_a_stalled_stream_does_not_stall_the_loop() -> None:
    """Lines beyond the bound are dropped and counted; the loop goes on meanwhile."""
    stream = Gate()
    writer = LogWriter(stream, capacity=10)
    writer.write("first")
    await trio.to_thread.run_sync(stream.stalled.wait, SOON)  # the thread is stuck with it now

    with trio.fail_after(SOON):
        for _ in range(100):
            writer.write("more")
            await trio.lowlevel.checkpoint()

    assert not stream.opened.is_set()
    assert writer.dropped == 90
    stream.opened.set()
    assert await trio.to_thread.run_sync(writer.close, SOON)
    assert ["first", *["more"] * 10] == stream.getvalue().splitlines()


def test_closing_is_bounded() -> None:
    """A stream that stays stalled costs the given time and no more."""
    stream = Gate()
    writer = LogWriter(stream)
    writer.write("stuck")

    assert not writer.close(0.01)
    stream.opened.set()


def test_a_full_pipe_stalls_only_the_thread() -> None:
    """The same through a real pipe that nobody reads, which is how a stalled stdout looks."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w") as stream:
        writer = LogWriter(stream, capacity=4)
        for _ in range(50):
            writer.write("x" * 100_000)  # more than a pipe holds
        dropped = writer.dropped

        assert not writer.close(0.01)
        assert dropped >= 40
        reader.close()  # the blocked write fails, and the thread ends
        assert writer.close(SOON)
        assert 50 >= writer.dropped > dropped


def test_a_closed_stream_loses_lines_but_not_the_writer() -> None:
    """Lines that a stream refuses are counted."""
    stream = io.StringIO()
    writer = LogWriter(stream)
    stream.close()
    writer.write("into the void")

    assert writer.close(SOON)
    assert writer.dropped == 1


def test_lines_after_the_end_are_counted() -> None:
    """A closed writer takes nothing more, and says so."""
    writer = LogWriter(io.StringIO())
    writer.close(SOON)
    writer.write("late")

    assert writer.dropped == 1


def test_a_non_blocking_descriptor_is_waited_for() -> None:
    """A terminal that another program made non-blocking loses nothing."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w") as stream:
        writer = LogWriter(stream)
        for _ in range(20):
            writer.write("y" * 20_000)  # more than a pipe holds
        received = b""
        while len(received) < 20 * 20_001:
            readable, _, _ = select.select([reader], [], [], SOON)
            assert readable
            received += os.read(reader.fileno(), 1 << 20)

        assert writer.close(SOON)
        assert writer.dropped == 0


def test_a_closed_stream_is_not_written_to_by_its_number(tmp_path: Path) -> None:
    """Its descriptor may be somebody else's file or socket by then."""
    with (tmp_path / "log").open("w") as stream:
        descriptor = stream.fileno()
        writer = LogWriter(stream)
    with (tmp_path / "other").open("w") as other:
        assert other.fileno() == descriptor
        writer.write("late")
        assert writer.close(SOON)

    assert writer.dropped == 1
    assert (tmp_path / "other").read_text() == ""


_WRITE = """
import json, sys
from penstock.telemetry.log_writer import LogWriter
writer = LogWriter(sys.stderr)
for number in range(3000):
    writer.write(json.dumps({"process": sys.argv[1], "number": number, "pad": sys.argv[1] * 300}))
writer.close(30)
"""


def test_lines_of_several_processes_do_not_mix() -> None:
    """Worker processes share one pipe, and whoever reads it is slower than they are: each line is whole."""
    reading, writing = os.pipe()
    writers = [subprocess.Popen([sys.executable, "-c", _WRITE, name], stderr=writing) for name in "abcd"]
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        written = b"".join(iter(lambda: pipe.read(4096), b""))

    assert [writer.wait() for writer in writers] == [0] * 4
    assert all(json.loads(line)["process"] in "abcd" for line in written.splitlines())
