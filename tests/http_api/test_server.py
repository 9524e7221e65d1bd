"""Serving: addresses, what is refused, shutting down, and Hypercorn's own command."""

import json
import socket
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing

from http_api.helpers import GOOD, WITHIN, Site, served
from penstock.engine.errors import ConfigurationError
from penstock.http import serve
from support.processes import Process


async def refusal(bind: str) -> str:
    """What `serve` says to an address that it refuses."""
    with pytest.raises(ConfigurationError) as refused, trio.fail_after(WITHIN):
        await serve(Site().app, bind)
    return str(refused.value)


async def test_port_0_takes_a_free_one_and_says_which(site: Site) -> None:
    """`started` gives the URL, and there the app answers."""
    assert site.port > 0
    assert (await site.http.get("/healthz")).json() == {"status": "alive"}
    assert "server" not in (await site.http.get("/healthz")).headers


async def test_a_port_that_is_taken_is_named_with_a_remedy() -> None:
    """No traceback of a socket module."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        assert (message := await refusal(bind)).startswith(f"cannot serve on {bind}: ")
    assert "choose another port" in message


async def test_an_address_of_another_machine_is_refused() -> None:
    """192.0.2.0/24 is for documentation: nobody has it."""
    with pytest.raises(ConfigurationError, match="no such address"):
        await serve(Site().app, "192.0.2.1:0", allow_insecure=True)


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"])
async def test_other_machines_are_not_let_in_by_accident(bind: str) -> None:
    """Without tokens, only loopback, unless it is allowed in so many words."""
    assert "allow_insecure" in await refusal(bind)


async def test_other_machines_may_be_let_in() -> None:
    """By whoever says so."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(partial(serve, Site().app, "0.0.0.0:0", allow_insecure=True))
        assert url.startswith("http://0.0.0.0:")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "bind", ["", "8181", "localhost", ":8181", "127.0.0.1:", "127.0.0.1:http", "a:70000"]
)
async def test_a_malformed_address_is_refused(bind: str) -> None:
    """The message shows the form that is expected."""
    assert "expected host:port" in await refusal(bind)


async def test_an_unknown_host_is_refused() -> None:
    """`.invalid` never resolves (RFC 2606)."""
    assert "not known" in await refusal("penstock.invalid:8181")


async def test_shutting_down_lets_running_requests_finish() -> None:
    """A submission that waits for the store when the end is announced is still answered."""
    site = Site()
    site.store.gate = trio.Event()
    stop = trio.Event()
    answers: list[int] = []

    async def submit(http: httpx.AsyncClient) -> None:
        answers.append((await http.post("/v1/jobs", json=GOOD)).status_code)

    with trio.fail_after(WITHIN):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(partial(serve, site.app, "127.0.0.1:0", shutdown=stop))
            async with httpx.AsyncClient(base_url=url, timeout=WITHIN) as http, trio.open_nursery() as inner:
                inner.start_soon(submit, http)
                while not site.store.gate.statistics().tasks_waiting:
                    await trio.testing.wait_all_tasks_blocked(0.01)
                stop.set()
                await trio.testing.wait_all_tasks_blocked(0.01)
                site.store.gate.set()
    assert answers == [202]


async def test_cancelling_the_server_leaves_the_client_clean() -> None:
    """From outside, at any time: nothing is unwound out of order."""
    site = Site()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, site.app, "127.0.0.1:0"))
        nursery.cancel_scope.cancel()
    assert site.client._tasks is None


async def test_a_connection_serves_many_requests(site: Site) -> None:
    """Answers to faults included: what is left of their bodies is taken off the connection."""
    for _ in range(5):
        await site.submit()
        response = await site.http.post("/v1/jobs", content=b"x" * 100_000)
        assert response.status_code == 415
        assert "connection" not in response.headers


async def test_a_connection_that_is_to_be_closed_is_closed(site: Site) -> None:
    """`Connection: close` is answered and then followed by the end of the stream."""
    request = b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    with trio.fail_after(WITHIN):
        async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
            await stream.send_all(request)
            received = b"".join([data async for data in stream])
    assert received.endswith(b'{"status":"alive"}')


async def test_idle_connections_do_not_hold_up_the_end() -> None:
    """A client that keeps its connection open for later does not use up the graceful timeout."""
    stop = trio.Event()
    with trio.fail_after(WITHIN):
        async with httpx.AsyncClient() as http, trio.open_nursery() as nursery:
            start = partial(serve, Site().app, "127.0.0.1:0", shutdown=stop, graceful_timeout=10 * WITHIN)
            url = await nursery.start(start)
            assert (await http.get(f"{url}/healthz")).status_code == 200
            stop.set()


APP = """
from penstock.engine import Client, JobContext, Module, Registry
from penstock.engine.memory_store import MemoryStore
from penstock.http import create_app

module = Module("hello")

@module.job
async def world(ctx: JobContext, name: str) -> None: ...

app = create_app(Client(MemoryStore()), Registry([module]))
"""


def test_hypercorn_serves_a_module(tmp_path: Path) -> None:
    """`hypercorn -k trio module:app` is all it takes: the lifespan enters the client."""
    (tmp_path / "hello_app.py").write_text(APP)
    command = [sys.executable, "-m", "hypercorn", "-k", "trio", "-b", "127.0.0.1:0", "hello_app:app"]
    process = Process(command, env={}, cwd=tmp_path)
    try:
        url = process.wait_for_line(r"Running on (http://\S+)")[1]
        with httpx.Client(base_url=url, timeout=WITHIN) as http:
            job = {"job": "hello.world", "args": {"name": "you"}}
            receipt = http.post("/v1/jobs", json=job)
            assert receipt.status_code == 202
            waited = http.get(f"{receipt.headers['Location']}/wait", params={"timeout": 0})
            assert waited.json()["ended"] is False
            body = "\n".join([json.dumps(job)] * 5000)
            response = http.post(
                "/v1/jobs/batch", content=body, headers={"Content-Type": "application/x-ndjson"}
            )
            assert response.text.count('"id":') == 5000
        assert process.terminate() == 0
    finally:
        process.kill()


async def test_a_site_serves_again_after_it_was_shut_down() -> None:
    """A second lifespan of the same app enters the client again."""
    site = Site()
    for _ in range(2):
        async with served(site):
            receipt = await site.submit()
            response = await site.http.get(f"/v1/jobs/{receipt['id']}/wait?timeout=0")
            assert response.status_code == 200
