"""The pool of connections, and what its errors are called here."""

import ssl
from typing import Self

import anyio.to_thread
import httpcore
import httpx

from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.engine.outgoing.errors import HttpFailed, HttpTimeout
from penstock.engine.outgoing.network import GuardedBackend, plain_backend
from penstock.engine.outgoing.settings import HttpSettings

_MESSAGE = 200  # characters of a network error; TLS libraries are known to write more


class Pool(httpx.AsyncHTTPTransport):
    """httpx's transport over a pool of our own: it takes no network backend for the one that it makes."""

    def __init__(
        self, settings: HttpSettings, tls: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend
    ) -> None:
        super().__init__(verify=tls)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=settings.max_connections,
            max_keepalive_connections=settings.max_idle_connections,
            keepalive_expiry=5.0,  # httpx's own; many servers close after that
            network_backend=backend,
        )


class NetworkTransport(httpx.AsyncBaseTransport):
    """The way to the network, open within its block."""

    def __init__(self, settings: HttpSettings, tls: ssl.SSLContext | None) -> None:
        self._settings = settings
        self._tls = tls
        self._pool: Pool | None = None

    async def __aenter__(self) -> Self:
        tls = self._tls if self._tls is not None else await default_tls()
        backend = plain_backend() if self._settings.allow_private else GuardedBackend()
        self._pool = Pool(self._settings, tls, backend)
        return self

    async def __aexit__(self, *_: object) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; raises `ConfigurationError` outside of the block."""
        if self._pool is None:
            raise ConfigurationError("this HttpClient is not open: async with HttpClient(...) as http")
        return await self._pool.handle_async_request(request)


async def default_tls() -> ssl.SSLContext:
    """Trust in certifi's authorities, or those that `SSL_CERT_FILE` or `SSL_CERT_DIR` name.

    Made in a thread: OpenSSL 3 takes long to read so many certificates (0.2 s measured).
    """
    return await anyio.to_thread.run_sync(httpx.create_ssl_context)


def translated(error: httpx.HTTPError, asked: str) -> HttpFailed | InvalidRequest:
    """What to raise instead, with nothing of a header or a query in its text."""
    if isinstance(error, httpx.TimeoutException):  # it is given no other than for this
        return HttpTimeout(f"{asked}: no connection in time")
    if isinstance(error, httpx.LocalProtocolError):  # its text quotes the header
        return InvalidRequest(f"{asked}: its method or one of its headers cannot be sent")
    if isinstance(error, httpx.NetworkError):
        return HttpFailed(f"{asked}: {_reason(error)}"[:_MESSAGE])
    return HttpFailed(f"{asked}: {type(error).__name__}")  # its text may quote what the host sent


def _reason(error: BaseException) -> str:
    """What the first cause says: above it stands `All connection attempts failed`.

    httpcore's pool cuts the chain, but each of its errors has the one below as its argument.
    """
    below = error.__cause__ or next((each for each in error.args if isinstance(each, BaseException)), None)
    return _reason(below) if below is not None else str(error) or type(error).__name__
