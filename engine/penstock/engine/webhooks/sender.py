"""Sends one message to one endpoint, and says what became of it."""

import random
import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.engine.outcome import Dead, Retry
from penstock.engine.outgoing import (
    AddressRefused,
    CircuitOpen,
    HttpClient,
    HttpFailed,
    HttpSettings,
    ResponseTooLarge,
)
from penstock.engine.outgoing.hosts import HostPatterns
from penstock.engine.outgoing.transport import default_tls
from penstock.engine.seams import Seams
from penstock.engine.webhooks.settings import WebhookSettings, host_of, is_url
from penstock.engine.webhooks.signing import key_of, sign
from penstock.engine.webhooks.verdict import judge, pause

_MAX_RESPONSE = 64 * 1024
"""Bytes read of an answer: nobody looks at it, and a short one keeps its connection."""


class Sender:
    """Delivers what jobs ask for to what its settings name; made by `open_sender`."""

    def __init__(
        self, settings: WebhookSettings, public: HttpClient, anywhere: HttpClient, rng: random.Random
    ) -> None:
        self._settings = settings
        self._public = public
        self._anywhere = anywhere
        self._rng = rng
        self._url_hosts = HostPatterns(settings.url_hosts)

    async def send(self, message_id: str, attempt: int, endpoint: str, payload: Any) -> int:
        """POST a payload as JSON, once; the status of a success.

        `message_id` is the same for each attempt, `attempt` is 1 for the first. Raises `Dead` or `Retry`, and
        `ConfigurationError` for an endpoint that is not known here: another worker may know it.
        """
        url, keys, client = self._find(endpoint)
        body = self._encode(payload)
        headers = {"Content-Type": "application/json", "User-Agent": "penstock-webhooks"}
        headers |= sign(message_id, int(time.time()), body, keys)
        if not keys:
            del headers["webhook-signature"]
        try:
            response = await client.post(url, headers=headers, content=body)
            status, answered = response.status, response.headers
        except CircuitOpen as error:
            delay = pause(error.remaining, attempt, self._rng)
            raise Retry(str(error), delay=delay) from error
        except AddressRefused as error:
            raise Dead(f"the endpoint may not be delivered to: {error}") from error
        except ResponseTooLarge as error:  # its status has come, and that is all that counts
            status, answered = error.status or 0, httpx.Headers()
        except InvalidRequest as error:
            raise Dead(f"the endpoint cannot be sent anything: {error}") from error
        except HttpFailed as error:
            raise Retry(str(error)) from error
        judge(status, answered, attempt, self._rng)
        return status

    def _find(self, endpoint: str) -> tuple[str, list[bytes], HttpClient]:
        settings = self._settings
        if not is_url(endpoint):
            found = settings.endpoints.get(endpoint)
            if found is None:
                raise ConfigurationError(f"this worker knows no endpoint {endpoint!r} of webhooks")
            keys = [key_of(secret) for secret in found.secrets]
            return found.url, keys, self._anywhere if found.allow_private else self._public
        if self._url_hosts.match(host_of(endpoint)) is None:
            raise Dead("the endpoint is a URL whose host is none of `url_hosts`")
        return endpoint, [key_of(secret) for secret in settings.url_secrets], self._public

    def _encode(self, payload: Any) -> bytes:
        try:
            body = msgspec.json.encode(payload)
        except (TypeError, ValueError, RecursionError) as error:
            raise Dead(f"the payload cannot be written as JSON: {error}") from error
        if len(body) > self._settings.max_payload:
            raise Dead(
                f"the payload takes {len(body)} bytes as JSON, at most {self._settings.max_payload} are sent"
            )
        return body


@asynccontextmanager
async def open_sender(
    settings: WebhookSettings,
    seams: Seams | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    rng: random.Random | None = None,
) -> AsyncGenerator[Sender]:
    """A sender with connections of its own, closed with the block."""
    tls = tls if tls is not None else await default_tls()
    shared = HttpSettings(
        timeout=settings.timeout,
        total_timeout=settings.timeout,
        max_response=_MAX_RESPONSE,
        trace_to=settings.trace_to,
        measured_hosts=tuple({endpoint.host for endpoint in settings.endpoints.values()}),
        show_paths=False,  # many services' hooks have a path that is a password
    )
    public = HttpClient(shared, seams, tls=tls)
    anywhere = HttpClient(msgspec.structs.replace(shared, allow_private=True), seams, tls=tls)
    async with public, anywhere:
        yield Sender(settings, public, anywhere, rng if rng is not None else random.Random())
