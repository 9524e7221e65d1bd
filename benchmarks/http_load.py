"""A client that costs little: requests are bytes made before, answers are read to their end and counted."""

import time

import trio

_CHUNK = 1 << 20
_END_OF_HEAD = b"\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"


class Caller:
    """One kept-alive connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._left = b""

    async def call(self, request: bytes) -> tuple[int, bytes]:
        """Send a request, read its answer: status and body, chunks as they came."""
        async with trio.open_nursery() as nursery:  # answers begin before a long request has been sent
            nursery.start_soon(self._stream.send_all, request)
            head, _, body = (await self._until(_END_OF_HEAD)).partition(_END_OF_HEAD)
        lowered = head.lower()
        if b"transfer-encoding: chunked" in lowered:
            body = await self._until(_LAST_CHUNK, body)
        else:
            length = int(lowered.split(b"content-length:")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += await self._some()
        return int(head.split(b" ", 2)[1]), body

    async def _until(self, end: bytes, so_far: bytes = b"") -> bytes:
        pieces = bytearray(so_far)
        # Where a long answer ends is looked for in its last bytes alone.
        while not (end in pieces if end == _END_OF_HEAD else pieces.endswith(end)):
            pieces += await self._some()
        return bytes(pieces)

    async def _some(self) -> bytes:
        some = await self._stream.receive_some(_CHUNK)
        if not some:
            raise RuntimeError("the API has closed the connection")
        return some


def post(path: str, kind: str, body: bytes) -> bytes:
    """A request as bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}"
    return head.encode() + _END_OF_HEAD + body


async def hammer(port: int, request: bytes, times: int, connections: int) -> float:
    """Send it `times` times from some connections; seconds. Raises for another status than 2xx."""
    numbers = iter(range(times))

    async def some(stream: trio.SocketStream) -> None:
        caller = Caller(stream)
        async with stream:
            for _ in numbers:
                status, body = await caller.call(request)
                if not 200 <= status < 300:
                    raise RuntimeError(f"status {status}: {body[:300]!r}")

    streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(connections)]
    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for stream in streams:
            nursery.start_soon(some, stream)
    return time.perf_counter() - began
