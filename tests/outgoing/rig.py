"""Clients without a network, and ears for operations and metrics."""

import socket
import ssl
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx
import trio

from penstock.engine import Backoff, Seams
from penstock.engine.metric import LabelValue, Metric
from penstock.engine.operation import Headers, Operation
from penstock.engine.outgoing import HttpClient, HttpSettings
from penstock.engine.outgoing.network import GuardedBackend
from penstock.engine.outgoing.transport import Pool

TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"}
STEADY = Backoff(base=1.0, cap=60.0, jitter=False)


class Told:
    """Seams that remember the operations they were entered around, and how each ended."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.raised: list[BaseException | None] = []
        self.seams = Seams(around_operation=self._around)

    @contextmanager
    def _around(self, operation: Operation) -> Generator[Headers]:
        self.operations.append(operation)
        try:
            yield TRACE
        except BaseException as error:
            self.raised.append(error)
            raise
        self.raised.append(None)


Handler = Callable[[httpx.Request], httpx.Response]


class Script:
    """A transport that answers what it is told, and remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception | Handler) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):  # a fresh one: a response's stream is read once
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)


def client(script: Script, told: Told | None = None, **settings: object) -> HttpClient:
    """A client that talks to a script instead of the network, with backoff that is the same each time."""
    chosen = HttpSettings(**{"backoff": STEADY, **settings})  # type: ignore[arg-type]
    return HttpClient(chosen, told.seams if told is not None else None, transport=script.transport)


@contextmanager
def heard(metric: Metric) -> Generator[dict[tuple[LabelValue, ...], float]]:
    """The sums, by labels, of what the metric is told within the block."""
    sums: dict[tuple[LabelValue, ...], float] = {}

    def sink(change: str, labels: tuple[LabelValue, ...], number: float) -> None:
        sums[labels] = sums.get(labels, 0.0) + (1.0 if change == "observe" else number)

    unbind = metric.bind(sink)
    try:
        yield sums
    finally:
        unbind()


OUTSIDE = "93.184.216.34"
"""A public address; nothing is ever sent there, because `Backend` stands in for the network."""


class Resolver(trio.abc.HostnameResolver):
    """Answers with the next of some addresses each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def getaddrinfo(self, host: Any, port: Any, *_: int, **__: int) -> Any:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if not answer:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in answer
        ]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


class Stream(httpcore.AsyncMockStream):
    """A connection that says who is at its other end, and keeps what it was sent."""

    def __init__(self, answer: bytes, peer: str | None) -> None:
        super().__init__([answer])
        self._peer = peer
        self.sent = b""
        self.closed = False
        self.names: list[str | None] = []
        """What certificates it was to be checked against."""

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        self.names.append(server_hostname)
        return self

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.sent += buffer

    async def aclose(self) -> None:
        self.closed = True

    def get_extra_info(self, info: str) -> Any:
        return (self._peer, 80) if info == "server_addr" and self._peer is not None else None


class Backend(httpcore.AsyncNetworkBackend):
    """In place of the network: connects to anything but `dead`, or to `peer` whatever it is told."""

    def __init__(
        self,
        answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        *,
        peer: str | None = "",
        dead: Sequence[str] = (),
    ) -> None:
        self._answer = answer
        self._peer = peer
        self._dead = dead
        self.connected: list[str] = []
        self.timeouts: list[float | None] = []
        self.streams: list[Stream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> Stream:
        self.connected.append(host)
        self.timeouts.append(timeout)
        if host in self._dead:
            raise httpcore.ConnectTimeout
        stream = Stream(self._answer, host if self._peer == "" else self._peer)
        self.streams.append(stream)
        return stream


TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Certificates that nobody needs are not read: it takes long."""


def guarded_client(backend: Backend, **settings: Any) -> HttpClient:
    """A client whose connections are made by `backend` and guarded as all are."""
    chosen = HttpSettings(**settings)
    return HttpClient(chosen, transport=Pool(chosen, TRUSTS_NOBODY, GuardedBackend(backend)))
