"""The module `webhooks` and its job."""

from collections.abc import AsyncIterator
from typing import Any

from penstock.engine.context import JobContext
from penstock.engine.module import Module
from penstock.engine.provided import PROVIDED
from penstock.engine.seams import Seams
from penstock.engine.webhooks.sender import Sender, open_sender
from penstock.engine.webhooks.settings import WebhookSettings
from penstock.engine.webhooks.verdict import BACKOFF, RETRIES

webhooks = Module("webhooks", settings=WebhookSettings)


@webhooks.lifespan
async def sending(settings: WebhookSettings, seams: Seams) -> AsyncIterator[Sender]:
    """The connections of a worker that delivers."""
    async with open_sender(settings, seams) as sender:
        yield sender


@webhooks.job(queue="webhooks", timeout=60, retries=RETRIES, backoff=BACKOFF)
async def deliver(ctx: JobContext, endpoint: str, payload: Any, sender: Sender = PROVIDED) -> dict[str, int]:
    """POST `payload` as JSON to `endpoint`: a name in `WebhookSettings.endpoints`, or a URL where allowed.

    At least once: the receiver sees the same `webhook-id`, made of the job's id, each time. Gives the status.
    Ends as `Dead` where no further attempt can help: 410, a redirect, a 4xx, a private address, a payload
    that is too large.
    """
    message_id = ctx.id.replace(".", "_")  # a full stop is the scheme's own separator
    return {"status": await sender.send(message_id, ctx.attempt, endpoint, payload)}
