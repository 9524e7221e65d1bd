"""The server's own witness: what may not be is noticed, what may be is not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.append_only import Court, commands, read
from penstock.engine.job import JobState
from penstock.engine.record import Header, format_header
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import NewJob, Settlement
from penstock.engine.transport import Redis
from support.redis_server import DURABLE, ValkeyServer, valkey_server

JOB, ROOT = "q.0001", "penstock:{q}:"
Command = list[bytes]


def record(state: str = "ready", *, crashes: int = 0, ended: int = 0, attempt: int = 0) -> bytes:
    """A record without a body."""
    return format_header(Header(1, JobState(state), attempt, crashes, 0, 0, 5, 5, ended, 0, "-", "-"))


def command(*words: str | bytes) -> Command:
    """A command as it stands in the file."""
    return [word if isinstance(word, bytes) else word.encode() for word in words]


def stored() -> Command:
    return command("MSET", f"{ROOT}job:0001", record())


def rewritten(state: str, *, crashes: int = 0) -> Command:
    return command("SET", f"{ROOT}job:0001", record(state, crashes=crashes, ended=9))


def claimed(worker: str = "h-1-a-1", token: int = 1) -> Command:
    return command("HSET", f"{ROOT}running:{worker}", "0001", f"{token} 1 7")


def let_go(worker: str = "h-1-a-1") -> Command:
    return command("HDEL", f"{ROOT}running:{worker}", "0001")


def revoked(worker: str = "h-1-a-1") -> Command:
    return command("ZADD", f"{ROOT}revoked", "8", worker)


PUSHED = command("RPUSH", f"{ROOT}ready:0:-", "0001")
GOOD = [
    [stored(), PUSHED, claimed(), rewritten("succeeded"), let_go()],
    [stored(), claimed(), let_go(), PUSHED, claimed(token=2), rewritten("dead"), let_go()],
    [stored(), rewritten("cancelled")],
    [
        *(stored(), claimed(), rewritten("scheduled"), let_go(), rewritten("ready")),
        *(claimed(token=2), rewritten("succeeded"), let_go()),
    ],
    [
        *(stored(), claimed(), revoked(), rewritten("ready", crashes=1), let_go()),
        *(claimed("h-2-b-1", 2), rewritten("succeeded", crashes=1), let_go("h-2-b-1")),
    ],
]
BAD = {
    "was stored twice": [stored(), stored()],
    "went from succeeded to succeeded": [*GOOD[0], rewritten("succeeded")],
    "went from succeeded to ready": [*GOOD[0], rewritten("ready")],
    "while it was succeeded": [*GOOD[0], claimed(token=2)],
    "while it was running": [stored(), claimed(), claimed("h-2-b-1", 2)],
    "which is not a new one": [stored(), claimed(), let_go(), claimed(token=1)],
    "who did not hold it": [stored(), claimed(), let_go("h-2-b-1")],
    "whose lease had not been revoked": [stored(), claimed(), rewritten("ready", crashes=1), let_go()],
    "went from ready to succeeded": [stored(), rewritten("succeeded")],
    "was claimed before it was stored": [claimed()],
    "was rewritten before it was stored": [rewritten("ready")],
}


@pytest.mark.parametrize("history", GOOD)
def test_a_legal_life_is_not_objected_to(history: list[Command]) -> None:
    """Ends, retries, returns, cancellation and takeover after a revoked lease are all fine."""
    court = Court()
    for one in history:
        court.hear(one)
    assert court.testimony.violations == []
    assert court.testimony.lives[JOB].endings == 1


@pytest.mark.parametrize("what", BAD)
def test_what_may_not_be_is_told(what: str) -> None:
    """Each move that breaks a rule is told with the job it befell."""
    court = Court()
    for one in BAD[what]:
        court.hear(one)
    assert [line for line in court.testimony.violations if line.startswith(JOB) and what in line]


def test_a_lease_that_was_revoked_too_early_is_told() -> None:
    """Not the worker's word counts, but the time up to which the server itself had prolonged the lease."""
    for lease, objections in ((8, 0), (9, 1)):
        court = Court()
        court.hear(command("ZADD", f"{ROOT}workers", str(lease), "h-1-a-1"))
        court.hear(revoked())
        assert len(court.testimony.violations) == objections


def test_who_joins_again_having_held_nothing_has_lost_nothing() -> None:
    """Its joining was answered too late; whoever held a job under the lease has lost it for good."""
    joined = command("ZADD", f"{ROOT}workers", "8", "h-1-a-1")
    idle, busy = Court(), Court()
    for one in (joined, revoked(), joined):
        idle.hear(one)
    for one in (joined, stored(), claimed(), revoked(), joined):
        busy.hear(one)
    assert (idle.testimony.revoked, idle.testimony.revived) == ({}, {"h-1-a-1"})
    assert (busy.testimony.revoked, busy.testimony.revived) == ({("q", "h-1-a-1"): 8}, set())


def test_a_second_ending_is_counted_though_the_holder_still_has_it() -> None:
    """Between the record and the running hash a second ending is no illegal move, but it is a second one."""
    court = Court()
    for one in (stored(), claimed(), rewritten("succeeded"), rewritten("succeeded")):
        court.hear(one)
    assert court.testimony.lives[JOB].endings == 2


def test_takeovers_are_told_with_their_time() -> None:
    """Who lost a job with its lease, and when the job was in other hands."""
    court = Court()
    for one in GOOD[4]:
        court.hear(one)
    assert court.testimony.revoked == {("q", "h-1-a-1"): 8}
    assert court.testimony.taken_over == {("q", "h-1-a-1"): [7]}
    assert court.testimony.redelivered == 1


def test_a_file_that_was_cut_short_is_read_to_its_last_whole_command(tmp_path: Path) -> None:
    """A killed server leaves half a command behind."""
    file = tmp_path / "1.incr.aof"
    file.write_bytes(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*2\r\n$4\r\nLPOP\r\n$3\r\nke")
    assert list(commands(file)) == [[b"SELECT", b"0"]]


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """A server that writes everything down."""
    with valkey_server(*DURABLE) as running:
        yield running


async def test_the_file_of_a_real_server_tells_all(server: ValkeyServer) -> None:
    """Submitted alone and in bulk, claimed, taken over, settled, retried and cancelled: seen, and legal."""
    async with Redis(server.url) as redis:
        store = RedisStore(redis)
        await store.submit("q", [NewJob("alone", b"body")])
        await store.submit("q", [NewJob(name, b"body") for name in ("again", "cancelled", "lost")])
        await store.cancel("q", "cancelled")
        await store.join("q", "h-1-a-1", 1)
        await store.join("q", "h-2-b-1", 60_000)
        claim = await store.claim("q", "h-2-b-1", 1, 2, suspect=False, idle=False)
        assert claim is not None
        ends = [JobState.SUCCEEDED, JobState.SCHEDULED]
        await store.settle(
            "q",
            "h-2-b-1",
            [
                Settlement(one.suffix, one.token, end, 1, 60_000, b"")
                for one, end in zip(claim.jobs, ends, strict=True)
            ],
        )
    server.kill()

    testimony = read(server.directory)
    assert testimony.violations == []
    found = {job: (life.state, life.claims, life.endings) for job, life in testimony.lives.items()}
    assert found == {
        "q.alone": (JobState.SUCCEEDED, 1, 1),
        "q.again": (JobState.SCHEDULED, 1, 0),
        "q.cancelled": (JobState.CANCELLED, 0, 1),
        "q.lost": (JobState.READY, 0, 0),
    }
