"""`penstock dev` keeps a history from the first job on, and stops keeping one at a word."""

import json

import httpx
import trio

from support.processes import Process, Start

APP = "support.application:trial"
WITHIN = 30.0


def dev(start: Start, *options: str) -> tuple[Process, str]:
    """It, and the address of its API."""
    process = start("dev", APP, "--bind", "127.0.0.1:0", *options)
    return process, process.wait_for_line(r"Running on (\S+)")[1]


async def found(url: str, count: int) -> list[dict[str, object]]:
    """What the history has, once it is so much."""
    async with httpx.AsyncClient(base_url=url, timeout=WITHIN) as http:
        with trio.fail_after(WITHIN):
            while True:
                answer = await http.get("/v1/history")
                if answer.status_code == 200 and len(jobs := answer.json()["jobs"]) == count:
                    return list(jobs)
                await trio.sleep(0.02)


async def run_one(url: str) -> str:
    """Submit a job and wait for its end; its id."""
    async with httpx.AsyncClient(base_url=url, timeout=WITHIN) as http:
        job = str((await http.post("/v1/jobs", json={"job": "trial.add", "args": {"left": 1}})).json()["id"])
        assert (await http.get(f"/v1/jobs/{job}/wait")).json()["state"] == "succeeded"
        return job


async def test_finished_jobs_are_found_without_anything_being_set_up(start: Start) -> None:
    """Over HTTP and by the command line; also those of the run before, and its last one."""
    first, url = dev(start)
    job = await run_one(url)
    assert [one["id"] for one in await found(url, 1)] == [job]
    listed = start("history", "--api", url, "--json")
    assert listed.wait() == 0
    assert json.loads(listed.out[0])["id"] == job
    last = await run_one(url)
    assert first.terminate() == 0

    second, url = dev(start)
    assert {one["id"] for one in await found(url, 2)} == {job, last}
    assert second.terminate() == 0


async def test_without_a_history_nothing_waits_for_one(start: Start) -> None:
    """An earlier run's sink is unregistered: else its endings would stay until the queue is full."""
    first, _ = dev(start)
    assert first.terminate() == 0
    second, url = dev(start, "--no-history")
    await run_one(url)
    async with httpx.AsyncClient(base_url=url, timeout=WITHIN) as http:
        assert (await http.get("/v1/history")).status_code == 422
    redis = second.wait_for_line(r"Valkey\s+(unix://\S+)")[1]
    start("relays", "--redis", redis).wait_for_line("no sinks")
    assert second.terminate() == 0
