"""How many Python functions are called to submit one job: by itself, among 500, as a line over HTTP.

| one job                            | in `penstock` | in all code |
|------------------------------------|---------------|-------------|
| `client.submit`                    | 24.0          | 62.0        |
| one of 500 in `client.submit_many` | 11.0          | 13.1        |
| one of 2,000 lines of NDJSON       | 32.1          | 34.5        |

The store is one in memory, and not counted. See `test_python_calls.py` for what to do when a figure changes.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from benchmarks.drain import bench, noop
from gates.counting import counted
from penstock.engine import Client, Registry
from penstock.engine.memory_store import MemoryStore
from penstock.http import create_app
from support.work import virtual_clock

FIGURES = {"single": (24.0, 62.0), "batch": (11.0, 13.1), "line": (32.1, 34.5)}
"""Calls a job: in Penstock's code, and in all code."""
SINGLES, BATCH, LINES = 200, 500, 2000
PIECE = 65536
"""Bytes of a body that Hypercorn hands over at once."""


async def test_a_single_submission_costs_few_calls() -> None:
    """From arguments to the receipt."""
    client = Client(MemoryStore(virtual_clock))
    await client.submit(noop, 0)
    with counted() as calls:
        for number in range(SINGLES):
            await client.submit(noop, number)
    calls.check("single", SINGLES, FIGURES["single"])


async def test_a_job_among_many_costs_few_calls() -> None:
    """Making the request is counted too: it checks the arguments."""
    client = Client(MemoryStore(virtual_clock))
    await client.submit_many([noop.request(0)] * 2)
    with counted() as calls:
        await client.submit_many([noop.request(number) for number in range(BATCH)])
    calls.check("batch", BATCH, FIGURES["batch"])


async def test_a_line_of_a_batch_costs_few_calls() -> None:
    """From the bytes of a request's body to those of the answer."""
    client = Client(MemoryStore(virtual_clock))
    app = create_app(client, Registry([bench]), enter_client=False)
    body = b"".join(b'{"job":"bench.noop","args":{"number":%d}}\n' % number for number in range(LINES))
    await _ask(app, body[:45])
    with counted() as calls:
        answer = await _ask(app, body)
    assert answer.count(b"\n") == LINES
    calls.check("line", LINES, FIGURES["line"])


async def _ask(app: Callable[..., Awaitable[None]], body: bytes) -> bytes:
    """POST it to the application itself: no server, no socket."""
    pieces = [body[start : start + PIECE] for start in range(0, len(body), PIECE)]
    answered: list[bytes] = []

    async def receive() -> dict[str, Any]:
        if not pieces:
            await trio.sleep_forever()  # nobody hangs up
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(event: dict[str, Any]) -> None:
        answered.append(event.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/jobs/batch",
        "raw_path": b"/v1/jobs/batch",
        "query_string": b"",
        "headers": [(b"content-type", b"application/x-ndjson"), (b"content-length", b"%d" % len(body))],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await app(scope, receive, send)
    return b"".join(answered)
