"""What is asked of whom: a request that can be sent again, and the words in which it may be shown."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import httpx
import msgspec

from penstock.engine.errors import InvalidRequest
from penstock.engine.operation import Operation, Value
from penstock.engine.outgoing.errors import TooManyRedirects
from penstock.engine.outgoing.measures import METHODS, OTHER_METHOD
from penstock.engine.outgoing.response import HttpResponse

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""RFC 9110, §9.2.2."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEPT_ABROAD = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "user-agent"})
"""Headers that go along to another origin: any other may be a secret, whatever its name."""
_PORTS = {"http": 80, "https": 443}


class Call:
    """One request, to be made into as many attempts as it takes."""

    def __init__(
        self, method: str, url: httpx.URL, headers: httpx.Headers, body: bytes, *, show_paths: bool
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.host = url.raw_host.decode().rstrip(".")
        self.port = url.port or _PORTS[url.scheme]
        self.origin = f"{self.host}:{self.port}"
        self.shown = _shown(url, show_paths=show_paths)
        self.known_method = method if method in METHODS else OTHER_METHOD
        self._show_paths = show_paths

    @property
    def asked(self) -> str:
        """Method and address as errors name them."""
        return f"{self.method} {self.shown}"

    def request(self, trace: Mapping[str, str], connect_timeout: float) -> httpx.Request:
        """One attempt at it; `trace` are headers that the host may see."""
        headers = self.headers.copy()
        headers.update(dict(trace))
        bounds = {"connect": connect_timeout, "read": None, "write": None, "pool": None}
        return httpx.Request(
            self.method, self.url, headers=headers, content=self.body, extensions={"timeout": bounds}
        )

    def operation(self, resends: int) -> Operation:
        """It as the HTTP conventions describe a client's attempt; `resends` is 0 for the first."""
        attributes: dict[str, Value] = {
            "http.request.method": self.known_method,
            "server.address": self.host,
            "server.port": self.port,
            "url.full": self.shown,
        }
        if resends:
            attributes["http.request.resend_count"] = resends
        name = self.method if self.known_method == self.method else "HTTP"
        return Operation(name=name, kind="client", attributes=attributes)

    def redirected(self, response: HttpResponse) -> "Call | None":
        """Where a redirect leads (RFC 9110, §15.4), None where `response` is none.

        A POST becomes a GET as it does in browsers, unless the status says that it stays what it is. What
        leaves the origin takes neither credentials nor any header but the plainest along. Raises
        `TooManyRedirects` where it leads to no web address, or from TLS to plain text.
        """
        location = response.headers.get("location")
        if response.status not in REDIRECTS or location is None:
            return None
        try:
            url = self.url.join(location)
        except (httpx.InvalidURL, ValueError):
            raise TooManyRedirects(f"{self.asked}: redirects to what is no address") from None
        if url.scheme not in _PORTS or not url.host or (self.url.scheme, url.scheme) == ("https", "http"):
            raise TooManyRedirects(f"{self.asked}: redirects from {self.url.scheme} to {url.scheme[:20]}")
        method, body, headers = self.method, self.body, self.headers.copy()
        if response.status == 303 or (response.status in (301, 302) and method == "POST"):
            method, body = ("HEAD" if method == "HEAD" else "GET"), b""
            headers.pop("content-type", None)
        call = Call(method, url, headers, body, show_paths=self._show_paths)
        if (call.origin, url.scheme) != (self.origin, self.url.scheme):
            call.headers = httpx.Headers({k: v for k, v in headers.items() if k in _KEPT_ABROAD})
        return call


def make_call(
    method: str,
    url: str,
    params: Mapping[str, Any] | None,
    headers: Mapping[str, str] | None,
    json: object,
    content: bytes,
    *,
    show_paths: bool,
) -> Call:
    """Check and encode a request; raises `InvalidRequest`, whose text holds nothing of the URL's query."""
    method = method.upper()
    try:
        parsed = httpx.URL(url)
        if params:
            parsed = parsed.copy_merge_params(dict(params))
    except (httpx.InvalidURL, ValueError, TypeError):
        raise InvalidRequest(f"{method}: its address is no URL", field="url") from None
    _check(parsed, method)
    try:
        sent = httpx.Headers({"User-Agent": "penstock", "Accept": "*/*", "Accept-Encoding": "gzip"})
        if parsed.userinfo:
            sent["Authorization"] = _basic(parsed)
        if json is not msgspec.UNSET:
            content = msgspec.json.encode(json)
            sent["Content-Type"] = "application/json"
        sent.update(dict(headers or {}))
    except (ValueError, TypeError):
        raise InvalidRequest(f"{method}: a header or the JSON of its body cannot be encoded") from None
    return Call(method, parsed, sent, content, show_paths=show_paths)


def _check(url: httpx.URL, asked: str) -> None:
    if url.scheme not in _PORTS or not url.host:
        raise InvalidRequest(
            f"{asked}: expected an address that begins with http:// or https://", field="url"
        )


def _basic(url: httpx.URL) -> str:
    pair = f"{unquote(url.username)}:{unquote(url.password)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _shown(url: httpx.URL, *, show_paths: bool) -> str:
    """Scheme, host, port and path: no user, no query, no fragment."""
    path = url.raw_path.partition(b"?")[0].decode() if show_paths else "/"
    return f"{url.scheme}://{url.netloc.decode()}{path}"
