"""The few calls that the command line makes to an API, with nothing but the standard library."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from penstock.engine.errors import ConfigurationError, InvalidRequest, PenstockError

T = TypeVar("T")

_PATIENCE = 65.0  # seconds; the longest wait the API grants is a minute


class ApiFailed(PenstockError):
    """The API cannot be reached, or could not do what it was asked."""


class _Problem(msgspec.Struct, frozen=True):
    """What we read of a problem detail (RFC 9457)."""

    detail: str


class HttpClient:
    """Calls one API, whatever proxy the environment names: an API is in the same network."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """`token` is sent to that address alone, wherever it may redirect to. Raises `ConfigurationError`."""
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"--api {url}: expected the URL of an API, like http://127.0.0.1:8181")
        if token is not None and not (token.isascii() and token.isprintable()):
            raise ConfigurationError("the token has characters that no token has")
        self._token = token
        self._url = url.rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(
        self,
        method: str,
        path: str,
        answer: type[T],
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Send `body` as JSON and decode the answer.

        Raises:
            InvalidRequest: the API says that the request is at fault (a 4xx).
            ApiFailed: it cannot be reached, is not ready, or is no Penstock API.
        """
        request = urllib.request.Request(
            self._url + path,
            method=method,
            data=None if body is None else msgspec.json.encode(body),
            headers={"Content-Type": "application/json", "Accept": "application/json", **(headers or {})},
        )
        if self._token is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with self._opener.open(request, timeout=_PATIENCE) as response:
                return msgspec.json.decode(response.read(), type=answer)
        except urllib.error.HTTPError as error:
            raise self._refused(error) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise ApiFailed(
                f"the API at {self._url} cannot be reached ({reason}): start one with `penstock dev APP` or "
                "`penstock api APP`, or name another with --api"
            ) from error
        except msgspec.DecodeError as error:
            raise ApiFailed(f"what answers at {self._url} is no Penstock API ({error})") from error

    def _refused(self, error: urllib.error.HTTPError) -> PenstockError:
        with error:
            try:
                detail = msgspec.json.decode(error.read(), type=_Problem).detail
            except msgspec.DecodeError:
                return ApiFailed(f"what answers at {self._url} is no Penstock API (status {error.code})")
        if error.code in (408, 429) or error.code >= 500:
            return ApiFailed(f"the API at {self._url} answered {error.code}: {detail}")
        if error.code == HTTPStatus.UNAUTHORIZED:
            return InvalidRequest(f"{detail}. Set PENSTOCK_TOKEN, or give --token")
        return InvalidRequest(detail)
