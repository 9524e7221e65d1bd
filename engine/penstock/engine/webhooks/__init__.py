"""Webhooks: a module that delivers payloads to URLs, signed by the standard-webhooks scheme.

A worker that has the module `webhooks` is given `WebhookSettings`; whoever submits names an endpoint:
`await client.submit(deliver, "billing", {"type": "invoice.paid", ...})`. Secrets stay in the worker.
"""

from penstock.engine.ending_payload import of_job_ending
from penstock.engine.webhooks.delivery import deliver, webhooks
from penstock.engine.webhooks.sender import Sender
from penstock.engine.webhooks.settings import Endpoint, WebhookSettings
from penstock.engine.webhooks.signing import VerificationFailed, sign, verify

__all__ = [
    "Endpoint",
    "Sender",
    "VerificationFailed",
    "WebhookSettings",
    "deliver",
    "of_job_ending",
    "sign",
    "verify",
    "webhooks",
]
