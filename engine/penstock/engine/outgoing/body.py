"""Reading a body within its bound, as it is sent and as it is decompressed."""

import zlib
from typing import cast

import anyio
import anyio.lowlevel
import httpx

from penstock.engine.outgoing.errors import HttpFailed, InvalidResponse, ResponseTooLarge

_PIECE = 64 * 1024
"""Bytes decompressed between two checkpoints: some 0.2 ms."""


async def read_body(response: httpx.Response, most: int, asked: str) -> bytes:
    """The body of an answer whose head was read; the connection is free, or closed, afterwards.

    Raises `ResponseTooLarge` past `most` bytes, and `InvalidResponse` for another content coding than gzip.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise InvalidResponse(f"{asked}: its content coding is not gzip", status=response.status_code)
    too_large = ResponseTooLarge(f"{asked}: its body has more than {most} bytes", status=response.status_code)
    raw = bytearray()
    stream = cast(httpx.AsyncByteStream, response.stream)
    # Cancelled rather than left: httpcore's nested generators close cleanly only when the read inside ends.
    with anyio.CancelScope() as scope:
        async for part in stream:
            raw += part
            if len(raw) > most:
                raw.clear()
                scope.cancel()
    if scope.cancel_called:
        raise too_large
    if encoding == "identity" or not raw:
        return bytes(raw)
    broken = InvalidResponse(f"{asked}: its body is no gzip, or cut off", status=response.status_code)
    return await _unzipped(raw, most, too_large, broken)


async def _unzipped(raw: bytearray, most: int, too_large: HttpFailed, broken: HttpFailed) -> bytes:
    decoder = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    content = bytearray()
    for start in range(0, len(raw), _PIECE):
        rest = bytes(raw[start : start + _PIECE])
        while rest and not decoder.eof:
            try:
                content += decoder.decompress(rest, _PIECE)
            except zlib.error:
                raise broken from None
            if len(content) > most:
                raise too_large
            rest = decoder.unconsumed_tail
            await anyio.lowlevel.checkpoint()
    if not decoder.eof:
        raise broken
    return bytes(content)
