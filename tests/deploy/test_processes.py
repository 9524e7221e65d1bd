"""`penstock dev`, `api` and `worker` as whole processes: starting, Redis away, and every way to end."""

import json
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from support.gate import gate
from support.processes import Process, Start, free_port
from support.redis_server import ValkeyServer

APP = "support.application:trial"
LISTENS = r"Running on (http://127\.0\.0\.1:\d+)"


def url_of(process: Process) -> str:
    """Where it listens, as its log says."""
    return process.wait_for_line(LISTENS)[1]


def get(url: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def submit(start: Start, url: str, *words: str) -> Process:
    """Run `penstock submit` to its end."""
    process = start("submit", *words, "--api", url)
    process.wait()
    return process


def shown(process: Process) -> dict[str, str]:
    """What `penstock submit` has printed, by name."""
    return {line[:10].strip(): line[10:] for line in process.out}


def logged(process: Process, event: str) -> list[dict[str, Any]]:
    """Its JSON log lines of that event."""
    lines = (json.loads(line) for line in process.err if line.startswith("{"))
    return [line for line in lines if line["event"] == event]


# --- dev ----------------------------------------------------------------------------------


def test_dev_does_it_all(start: Start, tmp_path: Path) -> None:
    """One command gives an API and a worker; what it prints can be copied and works."""
    dev = start("dev", APP, "--bind", "127.0.0.1:0")
    url = url_of(dev)
    dev.wait_for_line(rf"penstock submit trial\.add left=\.\.\. --wait --api {url}$")
    dev.wait_for_line(rf"curl {url}/v1/jobs --json '\{{\"job\": \"trial\.add\"")

    done = submit(start, url, "trial.add", "left=3", "right=4", "--wait")

    assert (done.wait(), shown(done)["state"], shown(done)["result"]) == (0, "succeeded", "7")
    assert (tmp_path / ".penstock" / "valkey").is_dir()
    assert dev.terminate() == 0, str(dev)


def test_dev_keeps_its_jobs(start: Start) -> None:
    """A job that waits at the end of one run is done in the next."""
    bind = ("--bind", "127.0.0.1:0")
    first = start("dev", APP, *bind, "--queues", "unused")
    waiting = submit(start, url_of(first), "trial.add", "left=1")
    assert first.terminate() == 0, str(first)

    second = start("dev", APP, *bind)
    status, body = get(f"{url_of(second)}/v1/jobs/{shown(waiting)['id']}/wait?timeout=30")

    assert status == 200
    assert json.loads(body)["state"] == "succeeded"
    assert second.terminate() == 0, str(second)


def test_second_dev_on_the_same_folder(start: Start) -> None:
    """The second one is told who has the folder, in one line, and fails as misused; the first goes on."""
    first = start("dev", APP, "--bind", "127.0.0.1:0")
    url = url_of(first)

    second = start("dev", APP, "--bind", "127.0.0.1:0")

    assert second.wait() == 2
    assert len(second.err) == 1
    assert f"is in use by process {first.pid}: stop that one, or name another folder" in second.err[0]
    assert get(f"{url}/readyz")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_dev_drains(start: Start, number: signal.Signals) -> None:
    """A signal lets the running job finish; then everything has ended, the server too."""
    with gate() as entrance:
        dev = start("dev", APP, "--bind", "127.0.0.1:0")
        job = shown(submit(start, url_of(dev), "trial.gated", f"gate={entrance.path}"))
        entrance.wait_for(1)

        dev.send(number)
        dev.wait_for_line("worker draining")
        entrance.open()

        assert dev.wait() == 0, str(dev)
    assert [line["job_id"] for line in logged(dev, "job finished")] == [job["id"]]


# --- api and worker -----------------------------------------------------------------------


def test_processes_start_without_redis(start: Start, tmp_path: Path, valkey: ValkeyServer) -> None:
    """Without Redis both stay up, say so once, and are not ready; once it is there, they are."""
    valkey.kill()
    options = ("--redis", valkey.url)  # nobody else can get that address meanwhile, as they could a port
    api = start("api", APP, *options, "--bind", "127.0.0.1:0")
    worker = start("worker", APP, *options, "--metrics-bind", "127.0.0.1:0")
    urls = [url_of(api), url_of(worker)]
    for process, url in zip((api, worker), urls, strict=True):
        process.wait_for_line("store unreachable, trying again")
        assert get(f"{url}/healthz")[0] == 200
        status, body = get(f"{url}/readyz")
        assert (status, json.loads(body)["status"]) == (503, 503)

    valkey.start()

    worker.wait_for_line("worker started")
    api.wait_for_line("store answers again")
    assert [get(f"{url}/readyz")[0] for url in urls] == [200, 200]
    assert "penstock_store_up 1" in get(f"{urls[1]}/metrics")[1]
    done = submit(start, urls[0], "trial.add", "left=1", "--wait")
    assert shown(done)["state"] == "succeeded"
    assert len(logged(api, "store unreachable, trying again")) == 1
    assert [api.terminate(), worker.terminate()] == [0, 0]


def test_worker_ends_without_redis(start: Start) -> None:
    """SIGTERM ends a worker and an API that never reached Redis, too."""
    away = ("--redis", f"redis://127.0.0.1:{free_port()}")
    worker = start("worker", APP, *away)
    api = start("api", APP, *away, "--bind", "127.0.0.1:0")
    for process in (worker, api):
        process.wait_for_line("store unreachable, trying again")

    assert [worker.terminate(), api.terminate()] == [0, 0]


def test_second_signal_stops_at_once(start: Start, valkey: ValkeyServer) -> None:
    """A second signal does not wait for the grace period: one line, exit code 1, the job given back."""
    with gate() as entrance:
        api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0")
        worker = start("worker", APP, "--redis", valkey.url)
        job = shown(submit(start, url_of(api), "trial.gated", f"gate={entrance.path}"))
        entrance.wait_for(1)

        worker.send(signal.SIGTERM)
        worker.wait_for_line("worker draining")
        worker.send(signal.SIGTERM)

        assert worker.wait() == 1
    assert worker.err[-1] == "penstock: stopped at once by a second signal (SIGTERM)"
    state = json.loads(get(f"{url_of(api)}/v1/jobs/{job['id']}")[1])
    assert (state["state"], state["attempt"]) == ("ready", 0)
    api.send(signal.SIGINT)
    assert api.wait() == 0


def test_grace_ends(start: Start, valkey: ValkeyServer) -> None:
    """A job that outlives the grace period goes back to the queue, and the worker has still ended well."""
    with gate() as entrance:
        api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0")
        worker = start("worker", APP, "--redis", valkey.url, "--grace", "0.2")
        job = shown(submit(start, url_of(api), "trial.gated", f"gate={entrance.path}"))
        entrance.wait_for(1)

        assert worker.terminate() == 0, str(worker)

    assert json.loads(get(f"{url_of(api)}/v1/jobs/{job['id']}")[1])["state"] == "ready"


def test_worker_probes_while_it_drains(start: Start, valkey: ValkeyServer) -> None:
    """/readyz says 503 as soon as the worker drains, /healthz goes on saying 200."""
    with gate() as entrance:
        api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0")
        worker = start("worker", APP, "--redis", valkey.url, "--metrics-bind", "127.0.0.1:0")
        probes = url_of(worker)
        worker.wait_for_line("worker started")
        assert get(f"{probes}/readyz")[0] == 200
        submit(start, url_of(api), "trial.gated", f"gate={entrance.path}")
        entrance.wait_for(1)

        worker.send(signal.SIGTERM)
        worker.wait_for_line("worker draining")

        assert [get(f"{probes}/{path}")[0] for path in ("readyz", "healthz")] == [503, 200]
        entrance.open()
        assert worker.wait() == 0


def test_queues(start: Start, valkey: ValkeyServer) -> None:
    """--queues leaves the jobs of other queues alone."""
    api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0")
    worker = start("worker", APP, PENSTOCK_REDIS=valkey.url, PENSTOCK_QUEUES="bulk,other")
    worker.wait_for_line("worker started")
    url = url_of(api)

    other = shown(submit(start, url, "trial.add", "left=1"))
    done = shown(submit(start, url, "trial.nap", "seconds=0", "--wait"))

    assert done["state"] == "succeeded"
    assert json.loads(get(f"{url}/v1/jobs/{other['id']}")[1])["state"] == "ready"
    assert logged(worker, "worker started")[0]["queues"] == ["bulk", "other"]
