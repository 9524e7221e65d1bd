"""One attempt: through the circuit, in the sight of telemetry, within its time."""

import time

import anyio
import httpx

from penstock.engine.errors import InvalidRequest
from penstock.engine.operation import Operation
from penstock.engine.outgoing.body import read_body
from penstock.engine.outgoing.call import Call
from penstock.engine.outgoing.circuit import Circuits
from penstock.engine.outgoing.errors import AddressRefused, HttpFailed, HttpTimeout
from penstock.engine.outgoing.hosts import HostPatterns
from penstock.engine.outgoing.measures import OTHER_HOST, SECONDS, status_label
from penstock.engine.outgoing.response import HttpResponse
from penstock.engine.outgoing.settings import HttpSettings
from penstock.engine.outgoing.transport import translated
from penstock.engine.seams import Seams

_ILL = frozenset({500, 502, 503, 504})
"""Statuses that tell of the host's own health; 429 tells that it is well enough to count."""


class Attempts:
    """Makes the attempts of one client."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport, settings: HttpSettings, seams: Seams, circuits: Circuits
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._seams = seams
        self._circuits = circuits
        self._traced = HostPatterns(settings.trace_to)
        self._measured = HostPatterns(settings.measured_hosts)

    def label(self, host: str) -> str:
        """The host in metrics: the declared pattern that covers it."""
        return self._measured.match(host) or OTHER_HOST

    async def attempt(self, call: Call, resends: int, timeout: float) -> HttpResponse | HttpFailed:
        """How one attempt ended, in `timeout` seconds at most.

        Raises `CircuitOpen`, and `InvalidRequest` for what cannot be sent.
        """
        label = self.label(call.host)
        with self._circuits.enter(call.origin, label) as passage:
            status, began = "cancelled", time.perf_counter()
            try:
                response = await self._told(call, resends, timeout)
                status = status_label(response.status)
                passage.well = response.status not in _ILL
                return response
            except HttpFailed as error:
                status = _ending(error)
                passage.well = not error.again  # what was refused here says nothing against the host
                return error
            except InvalidRequest:
                status = "invalid"
                raise
            finally:
                seconds = time.perf_counter() - began
                SECONDS.observe(seconds, host=label, method=call.known_method, status=status)

    async def _told(self, call: Call, resends: int, timeout: float) -> HttpResponse:
        operation = call.operation(resends)
        with self._seams.around_operation(operation) as trace:
            shown = trace if self._traced.match(call.host) is not None else {}
            try:
                with anyio.fail_after(timeout):
                    return await self._exchange(
                        call, operation, call.request(shown, self._connecting(timeout))
                    )
            except TimeoutError:
                raise HttpTimeout(f"{call.asked}: no whole answer within {timeout:.3g} s") from None
            except httpx.HTTPError as error:
                # Not `from error`: a traceback shows the texts of causes, which may quote what was sent.
                raise translated(error, call.asked) from None

    async def _exchange(self, call: Call, operation: Operation, request: httpx.Request) -> HttpResponse:
        response = await self._transport.handle_async_request(request)
        try:
            status = operation.attributes["http.response.status_code"] = response.status_code
            if status >= 400:
                operation.error_type = str(status)
            body = await read_body(response, self._settings.max_response, call.asked)
        finally:
            await response.aclose()
        headers = httpx.Headers([(k, v) for k, v in response.headers.raw if k.lower() not in _OF_THE_WIRE])
        return HttpResponse(response.status_code, headers, body, call.asked)

    def _connecting(self, timeout: float) -> float:
        return max(0.0, min(self._settings.connect_timeout, timeout))


_OF_THE_WIRE = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})
"""Headers about the body as it was sent, which is not as it is given."""


def _ending(error: HttpFailed) -> str:
    if isinstance(error, HttpTimeout):
        return "timeout"
    return "refused" if isinstance(error, AddressRefused) else "failed"
