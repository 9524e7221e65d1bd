"""An answer, read to its end."""

from typing import Any, TypeVar, overload

import httpx
import msgspec

from penstock.engine.outgoing.errors import HttpStatusError, InvalidResponse

T = TypeVar("T")


class HttpResponse:
    """The answer to a request: its status, headers and body.

    Its `repr` holds neither body nor query.
    """

    __slots__ = ("asked", "body", "headers", "status")

    def __init__(self, status: int, headers: httpx.Headers, body: bytes, asked: str) -> None:
        self.status = status
        self.headers = headers
        """By name, in any case."""
        self.body = body
        """Decompressed."""
        self.asked = asked
        """Method and address that it answers, as they may be shown."""

    def __repr__(self) -> str:
        return f"<HttpResponse {self.status} to {self.asked}, {len(self.body)} bytes>"

    @property
    def ok(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none is replaced by U+FFFD."""
        return self.body.decode(errors="replace")

    @overload
    def json(self) -> Any: ...
    @overload
    def json(self, type: type[T]) -> T: ...
    def json(self, type: Any = Any) -> Any:  # noqa: A002 - msgspec's own word
        """Decode the body; raises `InvalidResponse` where it is no JSON or not of that type."""
        try:
            return msgspec.json.decode(self.body, type=type)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidResponse(
                f"{self.asked}: the body is not the JSON that was expected: {error}", status=self.status
            ) from error

    def raise_for_status(self) -> "HttpResponse":
        """This answer, where it is a 2xx; raises `HttpStatusError` otherwise."""
        if not self.ok:
            raise HttpStatusError(f"{self.asked}: answered {self.status}", status=self.status)
        return self
