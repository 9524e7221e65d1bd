"""The client that handlers call: tries, waits, tries again, within the time that the job has left.

It stands on httpx's transport and not on its client, which writes whole URLs to the log, hands one job's
cookies to the next, and takes credentials from `.netrc`.
"""

import random
import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import anyio
import httpx
import msgspec

from penstock.engine.outgoing.attempt import Attempts
from penstock.engine.outgoing.call import IDEMPOTENT, Call, make_call
from penstock.engine.outgoing.circuit import Circuits
from penstock.engine.outgoing.errors import HttpFailed, TooManyRedirects
from penstock.engine.outgoing.measures import RETRIES
from penstock.engine.outgoing.response import HttpResponse
from penstock.engine.outgoing.retry_after import retry_after
from penstock.engine.outgoing.settings import HttpSettings
from penstock.engine.outgoing.transport import NetworkTransport
from penstock.engine.seams import Seams

AGAIN = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses that say so themselves, or come from what stands before the host, and so may be another next time.
Not 500: the request itself may be what the host fails at."""
_MARGIN = 0.1  # seconds of the job's time that an error has left to be heard in, a tenth of it at most


class HttpClient:
    """Makes requests on Trio or asyncio; open it once (`async with`) and share it among jobs.

    No cookies are kept, and neither proxies nor credentials taken from the environment.
    """

    def __init__(
        self,
        settings: HttpSettings | None = None,
        seams: Seams | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Prepare it; nothing is connected.

        `tls` says whom to trust, else certifi's authorities or those that `SSL_CERT_FILE` names.
        `transport` takes the place of the network, for tests: `httpx.MockTransport`.
        """
        self.settings = settings if settings is not None else HttpSettings()
        self._transport = transport if transport is not None else NetworkTransport(self.settings, tls)
        seams = seams if seams is not None else Seams()
        self._circuits = Circuits(self.settings.failures_to_open, self.settings.open_for, seams.observers)
        self._attempts = Attempts(self._transport, self.settings, seams, self._circuits)
        self._rng = rng if rng is not None else random.Random()

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._circuits.close()
        await self._transport.__aexit__(kind, error, trace)

    async def get(self, url: str, **options: Any) -> HttpResponse:
        """`request` with GET."""
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Any) -> HttpResponse:
        """`request` with POST."""
        return await self.request("POST", url, **options)

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = msgspec.UNSET,
        content: bytes = b"",
        timeout: float | None = None,
        retry: bool | None = None,
    ) -> HttpResponse:
        """Send a request and read the answer, whatever its status; `raise_for_status()` judges that.

        `timeout` is seconds for one attempt instead of the settings'. `retry` says whether it may be sent
        more than once; where it is None, idempotent methods may. A user and password in `url` are sent as
        basic authentication. Cancelled, it closes its connection and is gone at once.

        Raises:
            InvalidRequest: the address, a header or the body cannot be sent.
            CircuitOpen: the host has failed too often; nothing was sent this time.
            HttpFailed: no usable answer came, after all attempts: `HttpTimeout`, `AddressRefused`,
                `ResponseTooLarge`, `TooManyRedirects`, or the network's reason.
        """
        call = make_call(method, url, params, headers, json, content, show_paths=self.settings.show_paths)
        sending = _Sending(timeout or self.settings.timeout, self.settings.total_timeout, retry)
        for _ in range(self.settings.max_redirects):
            response = await self._send(call, sending)
            following = call.redirected(response)
            if following is None:
                return response
            call = following
            sending.resends += 1
        response = await self._send(call, sending)
        if self.settings.max_redirects and call.redirected(response) is not None:
            raise TooManyRedirects(f"{call.asked}: more than {self.settings.max_redirects} redirects")
        return response

    async def _send(self, call: Call, sending: "_Sending") -> HttpResponse:
        again = call.method in IDEMPOTENT if sending.retry is None else sending.retry
        retries = self.settings.retries if again else 0
        number = 1
        while True:
            ended = await self._attempts.attempt(call, sending.resends, sending.time_left())
            delay = self._pause(ended, number) if number <= retries else None
            if delay is None or delay >= sending.all_left():
                break
            await anyio.sleep(delay)
            RETRIES.inc(host=self._attempts.label(call.host), method=call.known_method)
            sending.resends += 1
            number += 1
        if isinstance(ended, HttpFailed):
            raise ended
        return ended

    def _pause(self, ended: HttpResponse | HttpFailed, number: int) -> float | None:
        """Seconds to wait before another attempt, None where there is to be none.

        What a host asks for is waited out, and then backoff, so that not all who were told come at once.
        """
        backoff = self.settings.backoff.delay(number, self._rng)
        if isinstance(ended, HttpFailed):
            return backoff if ended.again else None
        if ended.status not in AGAIN:
            return None
        asked = retry_after(ended.headers.get("retry-after"), time.time()) or 0.0
        return asked + backoff if asked <= self.settings.max_retry_after else None


class _Sending:
    """What one request has used up, redirects and repetitions included."""

    def __init__(self, timeout: float, total: float, retry: bool | None) -> None:
        self.retry = retry
        self.resends = 0
        self._timeout = timeout
        self._deadline = anyio.current_time() + total

    def all_left(self) -> float:
        """Seconds for all that is to come; less than none where time is up."""
        now = anyio.current_time()
        jobs = anyio.current_effective_deadline() - now
        return min(self._deadline - now, jobs - min(_MARGIN, jobs / 10))

    def time_left(self) -> float:
        """Seconds for the next attempt."""
        return max(0.0, min(self._timeout, self.all_left()))
