"""The server's own witness: every change it made, read from its append-only file after the run.

Nothing that a worker or a submitter believes enters here. A script's changes stand in the file in the order
in which it made them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import hiredis
import msgspec

from penstock.engine.job import JobState, legal
from penstock.engine.record import Header, parse_record

_CHUNK = 1 << 20


class _Reader(Protocol):
    def feed(self, data: bytes, /) -> None: ...
    def gets(self) -> Any: ...


_new_reader = cast(Callable[[], _Reader], hiredis.Reader)  # it ships no types


class Life(msgspec.Struct):
    """One job as the server has seen it so far."""

    header: Header
    holder: str | None = None
    claims: int = 0
    endings: int = 0
    lost_by: str | None = None
    """The worker whose lease was revoked with this job in hand, until somebody else claims it."""

    @property
    def state(self) -> JobState:
        return self.header.state if self.holder is None else JobState.RUNNING


class Testimony(msgspec.Struct):
    """What the file tells. Times are milliseconds since the epoch, the server's clock."""

    lives: dict[str, Life] = {}
    """By job id."""
    violations: list[str] = []
    revoked: dict[tuple[str, str], int] = {}
    """Queue and worker id → when its lease was revoked."""
    revived: set[str] = set()
    """Worker ids that joined once more after their lease was revoked, having held nothing under it."""
    taken_over: dict[tuple[str, str], list[int]] = {}
    """Queue and worker id → when each job it held was claimed by somebody else."""
    ended: list[int] = []

    @property
    def redelivered(self) -> int:
        """Claims of jobs whose last holder had lost them."""
        return sum(map(len, self.taken_over.values()))


def read(data: Path) -> Testimony:
    """Read the append-only files of a data folder; one that was rewritten would tell only a part."""
    court = Court()
    for file in sorted(data.glob("appendonlydir/*.incr.aof")):
        for command in commands(file):
            court.hear(command)
    return court.testimony


def commands(file: Path) -> Iterator[list[bytes]]:
    """The commands in one file; what a killed server left half written at its end is passed over."""
    reader = _new_reader()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            reader.feed(chunk)
            while (command := reader.gets()) is not False:
                yield command


class Court:
    """Hears one command after the other and notes what may not be."""

    def __init__(self) -> None:
        self.testimony = Testimony()
        self._tokens: dict[str, int] = {}  # the last one of each queue
        self._leases: dict[tuple[str, str], int] = {}  # when each of them runs out
        self._holders: set[tuple[str, str]] = set()  # whoever has ever claimed a job

    def hear(self, command: list[bytes]) -> None:
        """Take one command in."""
        verb, key, *words = command if len(command) > 1 else (command[0], b"")
        queue, kind, name = _place(key)
        if kind == "job":
            self._hear_of_record(verb.upper(), key, words)
        elif kind == "running":
            self._hear_of_holding(verb.upper(), queue, name, words)
        elif verb.upper() == b"ZADD" and kind in ("workers", "revoked"):
            self._hear_of_lease(kind, queue, words[1].decode(), int(words[0]))

    def _hear_of_record(self, verb: bytes, key: bytes, words: list[bytes]) -> None:
        queue, _, suffix = _place(key)
        if verb == b"MSET":
            for other, record in zip((key, *words[1::2]), words[::2], strict=True):
                self._stored(f"{queue}.{_place(other)[2]}", record)
        elif verb == b"SET" and b"NX" in words[1:]:  # it stands here only where it set the key
            self._stored(f"{queue}.{suffix}", words[0])
        elif verb == b"SET":
            self._rewritten(queue, suffix, words[0])

    def _hear_of_holding(self, verb: bytes, queue: str, worker: str, words: list[bytes]) -> None:
        if verb == b"HSET":
            for suffix, note in zip(words[::2], words[1::2], strict=True):
                self._claimed(queue, suffix.decode(), worker, note)
        elif verb == b"HDEL":
            for suffix in words:
                self._let_go(queue, suffix.decode(), worker)

    def _hear_of_lease(self, kind: str, queue: str, worker: str, at: int) -> None:
        lease = queue, worker
        if kind == "workers":
            self._leases[lease] = at
            if lease in self.testimony.revoked and lease not in self._holders:
                # The replies to its joining were lost for longer than a lease: it joined again.
                del self.testimony.revoked[lease]
                self.testimony.revived.add(worker)
            return
        self.testimony.revoked[lease] = at
        if at < self._leases.get(lease, 0):
            self._object(f"{queue}: the lease of {worker}", "was revoked before it had run out")

    def _stored(self, job: str, record: bytes) -> None:
        if job in self.testimony.lives:
            self._object(job, "was stored twice")
        self.testimony.lives[job] = Life(parse_record(record).header)

    def _rewritten(self, queue: str, suffix: str, record: bytes) -> None:
        job, header = f"{queue}.{suffix}", parse_record(record).header
        life = self.testimony.lives.get(job)
        if life is None:
            return self._object(job, "was rewritten before it was stored")
        # Reaped: it goes back into its line with one crash more.
        reaped = header.crashes == life.header.crashes + 1
        if not legal(life.state, header.state):
            self._object(job, f"went from {life.state} to {header.state}")
        if reaped and (queue, life.holder) not in self.testimony.revoked:
            self._object(job, f"was taken from {life.holder}, whose lease had not been revoked")
        if header.state.final:
            life.endings += 1
            self.testimony.ended.append(header.ended)
        life.header = header
        return None

    def _claimed(self, queue: str, suffix: str, worker: str, note: bytes) -> None:
        job, token, since = f"{queue}.{suffix}", *map(int, note.split(b" ")[::2])
        life = self.testimony.lives.get(job)
        if life is None:
            return self._object(job, "was claimed before it was stored")
        if not legal(life.state, JobState.RUNNING):
            self._object(job, f"was claimed by {worker} while it was {life.state} (held by {life.holder})")
        if token <= self._tokens.get(queue, 0):
            self._object(job, f"got the token {token}, which is not a new one")
        self._tokens[queue] = max(token, self._tokens.get(queue, 0))
        if life.lost_by is not None:
            self.testimony.taken_over.setdefault((queue, life.lost_by), []).append(since)
        self._holders.add((queue, worker))
        life.holder, life.lost_by = worker, None
        life.claims += 1
        return None

    def _let_go(self, queue: str, suffix: str, worker: str) -> None:
        job = f"{queue}.{suffix}"
        life = self.testimony.lives.get(job)
        if life is None or life.holder != worker:
            return self._object(job, f"was let go by {worker}, who did not hold it")
        life.holder = None
        if (queue, worker) in self.testimony.revoked and not life.header.state.final:
            life.lost_by = worker
        return None

    def _object(self, job: str, what: str) -> None:
        self.testimony.violations.append(f"{job} {what}")


def _place(key: bytes) -> tuple[str, str, str]:
    """The queue, the kind and the name in a key: `penstock:{queue}:kind:name`."""
    queue, _, rest = key.decode(errors="replace").removeprefix("penstock:{").partition("}:")
    kind, _, name = rest.partition(":")
    return queue, kind, name
