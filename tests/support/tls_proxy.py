"""TLS in front of a server that has none, with the test certificate of `support/tls`."""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

CERTIFICATE = Path(__file__).parent / "tls" / "localhost.pem"
_KEY = CERTIFICATE.with_suffix(".key")


@asynccontextmanager
async def tls_proxy(backend: Path) -> AsyncGenerator[int]:
    """Terminate TLS on a port of 127.0.0.1, which it gives, and forward to that unix socket."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE, _KEY)

    async def forward(client: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            async with (
                client,
                await trio.open_unix_socket(backend) as server,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(_copy, client, server, nursery.cancel_scope)
                nursery.start_soon(_copy, server, client, nursery.cancel_scope)
        except* (trio.BrokenResourceError, ssl.SSLError):
            pass  # a client that does not trust the certificate leaves in mid handshake

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port: int = listener.socket.getsockname()[1]
        tls = trio.SSLListener(listener, context, https_compatible=True)
        nursery.start_soon(trio.serve_listeners, forward, [tls])
        yield port
        nursery.cancel_scope.cancel()


async def _copy(source: trio.abc.ReceiveStream, target: trio.abc.SendStream, over: trio.CancelScope) -> None:
    while data := await source.receive_some():
        await target.send_all(data)
    over.cancel()
