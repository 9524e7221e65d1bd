"""A history of what many processes asked of one store, and the rules that any such history must keep.

Each process records into a file of its own; a harness adds what it did to them and, at the end, what the
store says of every job. Then the checker reads all of it:

    # in each worker and submitter
    with recording("worker-1", folder / "worker-1.jsonl") as recorder:
        store = RecordingStore(RedisStore(redis), recorder)
        worker = Worker(store, registry, seams=Seams(Observers(recorder.observe)))

    # in the harness
    with recording("harness", folder / "harness.jsonl") as recorder:
        os.kill(pid, signal.SIGKILL)
        recorder.crashed("worker-1")
        …
        await recorder.final(RedisStore(redis), "queue", suffixes)  # when everything should have ended

    violations = check(read(sorted(folder.glob("*.jsonl"))))

What the rules are stands in the files named after them, what makes them sound in `records.py`.
"""

from benchmarks.history.checker import check
from benchmarks.history.recorder import Recorder, recording
from benchmarks.history.recording_store import RecordingStore
from benchmarks.history.records import Record, read
from benchmarks.history.story import Violation

__all__ = ["Record", "Recorder", "RecordingStore", "Violation", "check", "read", "recording"]
