"""What HTTP itself costs: an ASGI app that reads a request and answers with as many lines.

`… PORT`. No routes, no checks, no jobs: the most that the front end could reach.
"""

import sys
from typing import Any

import trio

from penstock.http import serve

_ONE = b'{"id":"bench.0000000000000000000000000000","state":"ready"}\n'


async def bare(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A line for each line."""
    if scope["type"] == "lifespan":
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})
        return
    lines, more = 0, True
    while more:
        event = await receive()
        lines += event.get("body", b"").count(b"\n")
        more = event.get("more_body", False)
    body = _ONE * max(1, lines)
    headers = [(b"content-type", b"application/x-ndjson"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    trio.run(serve, bare, f"127.0.0.1:{sys.argv[1]}")
