"""`penstock worker --processes N` with real processes: one command, however many interpreters."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from e2e.system import connected, ends, logged
from penstock.engine import JobState
from support.application import add, gated
from support.gate import gate
from support.processes import Process, Start
from support.redis_server import ValkeyServer
from telemetry.strict_exposition import ReadFamily, read

APP = "support.application:trial"
TWO = ("--processes", "2", "--concurrency", "1", "--lease", "1", "--queues", "gated,default")
ONE_LINE = '"event":"worker started".*"process":'


def start_two(start: Start, redis: str, *options: str) -> tuple[Process, str]:
    """A supervisor whose two workers have their leases, and where its probes are."""
    supervisor = start("worker", APP, "--redis", redis, "--metrics-bind", "127.0.0.1:0", *TWO, *options)
    for index in (1, 2):
        supervisor.wait_for_line(f"{ONE_LINE}{index}")
    return supervisor, supervisor.wait_for_line(r"Running on (\S+)")[1]


def children(supervisor: Process) -> list[int]:
    """The process ids of all children so far, in order of their start."""
    return [line["pid"] for line in logged(supervisor, "worker process started")]


def scrape(url: str) -> dict[str, ReadFamily]:
    """What `/metrics` says, read strictly."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
        return read(response.read(), openmetrics=False)


def status(url: str) -> int:
    """What a probe says."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def total(families: dict[str, ReadFamily], name: str) -> float:
    """All series of a family in one number."""
    return sum(sample.value for sample in families[name].samples)


def restarted_and_ready(families: dict[str, ReadFamily]) -> bool:
    """Whether one process was replaced and two are ready. An answer may be a second old."""
    restarts = families["penstock_worker_process_restarts_total"].value()
    return restarts == 1 and families["penstock_worker_processes"].value(state="ready") == 2


async def until(true: Callable[[], bool]) -> None:
    """Return when `true` is; asks again as long as nobody tells."""
    with trio.fail_after(30):
        while not await trio.to_thread.run_sync(true):  # noqa: ASYNC110 - another process's affair
            await trio.sleep(0.05)


def gone(pid: int) -> bool:
    """Whether no process has that id; one that nobody has waited for yet counts as gone."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


async def test_one_endpoint_adds_up(start: Start, valkey: ValkeyServer) -> None:
    """Each process's jobs, slots and distributions are summed; what Redis says is told once."""
    with gate() as entrance:
        supervisor, url = start_two(start, valkey.url)
        async with connected(valkey.url) as client:
            await ends(client, await client.submit_many([add.request(left=1)] * 20))
            held = await client.submit_many([gated.request(gate=entrance.path)] * 3)
            workers = {worker for _, worker in entrance.wait_for(2)}
            found = scrape(url)
            entrance.take_down()
            await ends(client, held)

    assert len(workers) == 2  # one slot each, so both processes hold one
    started = found["penstock_jobs_started_total"]
    assert started.value(queue="default", job="trial.add", module="trial") == 20
    assert started.value(queue="gated", job="trial.gated", module="trial") == 2
    assert total(found, "penstock_jobs_finished_total") == 20
    counts = [s.value for s in found["penstock_job_run_seconds"].samples if s.name.endswith("_count")]
    assert sum(counts) == 20
    slots = found["penstock_worker_slots"]
    assert (slots.value(state="busy"), slots.value(state="free")) == (2, 0)
    # The third may have been fetched ahead, which counts as running.
    jobs = found["penstock_queue_jobs"]
    assert sum(jobs.value(queue="gated", state=state) for state in ("running", "ready")) == 3
    assert found["penstock_workers"].value(queue="gated") == 2
    assert found["penstock_queue_slots"].value(queue="gated") == 2
    assert found["penstock_store_up"].value() == 1
    assert total(found, "penstock_build_info") == 1
    assert supervisor.terminate() == 0, str(supervisor)


async def test_a_killed_process_is_replaced(start: Start, valkey: ValkeyServer) -> None:
    """Its job is taken over, another process has its place, and no counter has gone backwards."""
    with gate() as entrance:
        supervisor, url = start_two(start, valkey.url)
        async with connected(valkey.url) as client:
            await ends(client, await client.submit_many([add.request(left=1)] * 20))
            [receipt] = await client.submit_many([gated.request(gate=entrance.path)])
            [(_, holder)] = entrance.wait_for(1)
            before = scrape(url)
            [victim] = [pid for pid in children(supervisor) if f"-{pid}-" in holder]

            os.kill(victim, signal.SIGKILL)
            entrance.wait_for(2)
            entrance.open()
            [job] = await ends(client, [receipt])
            await until(lambda: restarted_and_ready(scrape(url)))
            after = scrape(url)

    assert (job.state, job.crashes) == (JobState.SUCCEEDED, 1)
    assert total(before, "penstock_jobs_started_total") == 21
    assert total(after, "penstock_jobs_started_total") == 22
    assert total(after, "penstock_jobs_finished_total") == 21
    assert after["penstock_worker_slots"].value(state="free") == 2  # a dead process has no slots
    [told] = logged(supervisor, "worker process ended, starting another")
    assert (told["pid"], told["ending"]) == (victim, "SIGKILL")
    assert supervisor.terminate() == 0, str(supervisor)


async def test_a_process_that_does_not_answer(start: Start, valkey: ValkeyServer) -> None:
    """It holds up no scrape: its counts are what it said last, and the others are still ready."""
    supervisor, url = start_two(start, valkey.url)
    async with connected(valkey.url) as client:
        await ends(client, await client.submit_many([add.request(left=1)] * 20))
    assert total(await trio.to_thread.run_sync(scrape, url), "penstock_jobs_started_total") == 20
    frozen = children(supervisor)[0]
    os.kill(frozen, signal.SIGSTOP)

    await until(lambda: scrape(url)["penstock_worker_processes"].value(state="answering") == 1)
    found = scrape(url)

    assert total(found, "penstock_jobs_started_total") == 20
    assert found["penstock_worker_processes"].value(state="running") == 2
    assert found["penstock_worker_processes"].value(state="ready") == 1
    assert status(f"{url}/readyz") == 200
    os.kill(frozen, signal.SIGCONT)
    await until(lambda: scrape(url)["penstock_worker_processes"].value(state="answering") == 2)
    assert supervisor.terminate() == 0, str(supervisor)


@pytest.mark.parametrize("whole_group", [False, True])
async def test_one_drain_for_all(start: Start, valkey: ValkeyServer, whole_group: bool) -> None:
    """What runs in any process finishes, also when the signal reached every one of them; exit code 0."""
    with gate() as entrance:
        supervisor, url = start_two(start, valkey.url)
        async with connected(valkey.url) as client:
            receipts = await client.submit_many([gated.request(gate=entrance.path)] * 2)
            entrance.wait_for(2)

            if whole_group:
                os.killpg(supervisor.pid, signal.SIGINT)  # Ctrl-C
            else:
                supervisor.send(signal.SIGTERM)
            await until(lambda: len(logged(supervisor, "worker draining")) == 2)
            assert status(f"{url}/readyz") == 503
            entrance.open()
            jobs = await ends(client, receipts)

    assert supervisor.wait() == 0, str(supervisor)
    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 2
    assert len(logged(supervisor, "job finished")) == 2
    assert [line for line in supervisor.err if not line.startswith("{")] == []


async def test_second_signal_stops_all_at_once(start: Start, valkey: ValkeyServer) -> None:
    """One line, exit code 1, and every running job is given back without an attempt."""
    with gate() as entrance:
        supervisor, _ = start_two(start, valkey.url)
        async with connected(valkey.url) as client:
            receipts = await client.submit_many([gated.request(gate=entrance.path)] * 2)
            entrance.wait_for(2)

            supervisor.send(signal.SIGTERM)
            await until(lambda: len(logged(supervisor, "worker draining")) == 2)
            supervisor.send(signal.SIGTERM)

            assert supervisor.wait() == 1
            jobs = [await client.get(receipt.id) for receipt in receipts]

    assert [line for line in supervisor.err if not line.startswith("{")] == [
        "penstock: stopped at once by a second signal (SIGTERM)"
    ]
    assert [(job.state, job.attempt) for job in jobs if job] == [(JobState.READY, 0)] * 2
    assert all(map(gone, children(supervisor)))


async def test_processes_end_with_a_killed_supervisor(start: Start, valkey: ValkeyServer) -> None:
    """SIGKILL cannot be handled, but it is noticed: they drain, running jobs finish, nobody is left."""
    with gate() as entrance:
        supervisor, _ = start_two(start, valkey.url)
        async with connected(valkey.url) as client:
            receipts = await client.submit_many([gated.request(gate=entrance.path)] * 3)
            entrance.wait_for(2)

            supervisor.send(signal.SIGKILL)
            await until(lambda: len(logged(supervisor, "the supervisor has ended, draining")) == 2)
            entrance.open()
            done = await ends(client, receipts[:2])
            await until(lambda: all(map(gone, children(supervisor))))
            waiting = await client.get(receipts[2].id)

    assert [job.state for job in done] == [JobState.SUCCEEDED] * 2
    assert waiting is not None
    assert waiting.state is JobState.READY


def test_a_blocked_process_does_not_outlive_its_supervisor() -> None:
    """A handler that never yields keeps its loop from hearing of the end; a thread of ours needs no leave."""
    program = (
        "import socket, sys, time; from penstock.deploy.child import end_with_supervisor; "
        "end_with_supervisor(socket.socket(fileno=0), 0.01); print('blocked', flush=True); time.sleep(1000)"
    )
    ours, theirs = socket.socketpair()
    with theirs:
        blocked = subprocess.Popen(
            [sys.executable, "-c", program], stdin=theirs.fileno(), stdout=subprocess.PIPE
        )
    with blocked, closing(ours):
        try:
            assert blocked.stdout is not None
            assert blocked.stdout.readline() == b"blocked\n"
            assert blocked.poll() is None
            ours.close()
            assert blocked.wait(30) == -signal.SIGKILL
        finally:
            blocked.kill()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("worker support.application:trail", "has no 'trail'; did you mean trial"),
        (f"worker {APP} --redis http://localhost", "http://localhost is no Redis URL that can be used"),
        (f"worker {APP} --metrics-bind nowhere", "cannot serve on nowhere: expected host:port"),
        (f"worker {APP} --processes 0", "0 is not in the range 1<=x<=256"),
    ],
)
def test_what_cannot_work_ends_all(start: Start, command: str, message: str) -> None:
    """What one process finds wrong with the call is wrong for all: one line, exit code 2, no restart."""
    supervisor = start(*command.split(" "), *(() if "--processes" in command else ("--processes", "3")))

    assert supervisor.wait() == 2, str(supervisor)
    [line] = [line for line in supervisor.err if not line.startswith("{")]
    assert line.startswith("penstock: ")
    assert message in line
    assert logged(supervisor, "worker process ended, starting another") == []


def test_processes_that_die_at_their_start(start: Start, tmp_path: Path) -> None:
    """They are started again and again, told each time; SIGTERM ends that."""
    (tmp_path / "fragile.py").write_text("import os\nos._exit(3)\n")
    supervisor = start("worker", "fragile:app", "--processes", "2")
    for index in (1, 2):
        supervisor.wait_for_line(f'"worker process ended, starting another".*"process":{index}')

    assert supervisor.terminate() in (0, 1), str(supervisor)  # 1 if one was just dying again
    told: list[dict[str, Any]] = logged(supervisor, "worker process ended, starting another")
    assert {line["ending"] for line in told} == {"exit code 3"}


def test_one_process_has_no_supervisor(start: Start, valkey: ValkeyServer) -> None:
    """`--processes 1` is the plain worker: the process itself works."""
    worker = start("worker", APP, "--redis", valkey.url, PENSTOCK_PROCESSES="1")
    worker.wait_for_line("worker started")

    [line] = logged(worker, "worker started")
    assert f"-{worker.pid}-" in line["worker"]
    assert "process" not in line
    assert worker.terminate() == 0


def test_no_password_in_the_arguments(start: Start, valkey: ValkeyServer) -> None:
    """Who lists processes does not read the Redis URL of the worker processes."""
    supervisor, _ = start_two(start, f"{valkey.url}?client_name=sesame")

    for pid in children(supervisor):
        assert b"sesame" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert supervisor.terminate() == 0, str(supervisor)
