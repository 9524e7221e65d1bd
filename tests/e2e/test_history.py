"""From finished jobs in a database to what people and programs see of them."""

import json
from pathlib import Path

import httpx
import pytest

from http_api.helpers import check_problem
from job_history.endings import START, dead, ending, job_id
from penstock.engine.job_history import HistorySettings, open_history
from support.processes import Start
from support.redis_server import ValkeyServer

APP = "support.application:trial"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
async def address(start: Start, tmp_path: Path) -> str:
    """A history with five jobs."""
    url = f"sqlite:///{tmp_path}/history.db"
    start("migrate", "--history-url", url).wait_for_line("tables are of version")
    async with open_history(HistorySettings(url=url)) as history:
        await history.writer.take(
            [
                *(ending(number, tenant="acme") for number in range(1, 4)),
                ending(4, trace_id=TRACE, tenant="other"),
                dead(5, tenant="acme", job="images.crop"),
            ]
        )
    return url


async def test_what_has_ended_is_found_by_each_of_its_traits(
    start: Start, valkey: ValkeyServer, address: str
) -> None:
    """Over HTTP, a page at a time, with the attempts of one; and by the command line."""
    api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0", "--history-url", address)
    url = api.wait_for_line(r"Running on (\S+)")[1]
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:

        async def found(**asked: object) -> list[str]:
            answer = await http.get("/v1/history", params={k: str(v) for k, v in asked.items()})
            assert answer.status_code == 200, answer.text
            return [str(job["id"]) for job in answer.json()["jobs"]]

        assert await found() == [job_id(number) for number in (5, 4, 3, 2, 1)]
        assert await found(tenant="acme", since=START + 2) == [job_id(number) for number in (5, 3, 2)]
        assert await found(until="2023-11-14T22:13:22Z") == [job_id(1)]
        assert await found(state="dead", error="NO ROUTE") == [job_id(5)]
        assert await found(trace_id=TRACE) == [job_id(4)]
        assert await found(job="images.crop") == [job_id(5)]
        page = (await http.get("/v1/history", params={"limit": 4})).json()
        assert await found(cursor=page["next"]) == [job_id(1)]
        one = (await http.get(f"/v1/history/{job_id(5)}")).json()
        assert (one["error"]["type"], len(one["attempts"])) == ("app.Unreachable", 1)
        for path, status, field in (
            ("/v1/history?state=tired", 422, {"field": "state"}),
            ("/v1/history?colour=red", 422, {"field": "colour"}),
            ("/v1/history?since=soon", 422, {"field": "since"}),
            ("/v1/history?limit=0", 422, {"field": "limit"}),
            (f"/v1/history/{job_id(9)}", 404, {}),
        ):
            check_problem(await http.get(path), status, **field)

    listed = start("history", "--api", url, "--tenant", "acme", "--limit", "2", "--json")
    assert listed.wait() == 0, str(listed)
    assert [json.loads(line)["id"] for line in listed.out] == [job_id(5), job_id(3)]
    shown = start("history", "--api", url)
    shown.wait_for_line(r"2023-11-14 22:13:25\s+dead\s+1\s+images\.crop")
    shown.wait_for_line("app.Unreachable: no route to host")


async def test_without_a_history_the_api_says_so(start: Start, valkey: ValkeyServer) -> None:
    """And with one whose tables nobody has made, what to do about it."""
    api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0")
    url = api.wait_for_line(r"Running on (\S+)")[1]
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        check_problem(await http.get("/v1/history"), 422)
    listed = start("history", "--api", url)
    listed.wait_for_line("started without --history-url")
    assert listed.wait() == 2


async def test_tables_that_nobody_has_made_end_the_api(
    start: Start, valkey: ValkeyServer, tmp_path: Path
) -> None:
    """In one line that names the command."""
    where = ("--history-url", f"sqlite:///{tmp_path}/empty.db")
    api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0", *where)
    assert api.wait() == 2
    assert any("upgrade" in line or "migrate" in line for line in api.err), str(api)
