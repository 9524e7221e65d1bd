"""Endpoints that lead to a receiver of the test's own, and a message to send."""

import base64
import random
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from penstock.engine.webhooks import Endpoint, Sender, WebhookSettings
from penstock.engine.webhooks.sender import open_sender
from support.http_receiver import CERTIFICATE, HttpReceiver, http_receiver

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"o" * 32).decode()
PAYLOAD = {"type": "invoice.paid", "data": {"id": 7, "name": "Grüße"}}
MESSAGE = "webhooks_0123"


class Rig(NamedTuple):
    """A sender that knows the endpoint `here`, and who receives what is sent there."""

    receiver: HttpReceiver
    sender: Sender
    settings: WebhookSettings

    async def send(self, endpoint: str = "here", payload: Any = PAYLOAD, attempt: int = 1) -> int:
        """Send the message."""
        return await self.sender.send(MESSAGE, attempt, endpoint, payload)


@asynccontextmanager
async def sending(
    *, tls: bool = False, trusted: bool = True, secrets: tuple[str, ...] = (SECRET,), **settings: Any
) -> AsyncGenerator[Rig]:
    """A rig; `settings` are those of `WebhookSettings`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trusted:
        context.load_verify_locations(CERTIFICATE)
    async with http_receiver(tls=tls) as receiver:
        here = Endpoint(f"{receiver.url}/hook/hush", secrets, allow_private=True)
        guarded = Endpoint(f"{receiver.url}/", secrets)
        chosen = WebhookSettings(endpoints={"here": here, "guarded": guarded}, **settings)
        async with open_sender(chosen, tls=context, rng=random.Random(1)) as sender:
            yield Rig(receiver, sender, chosen)
