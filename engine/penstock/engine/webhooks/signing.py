"""The standard-webhooks scheme: who sent a message, when, and that nobody changed it.

https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md: HMAC-SHA256 over
`id.timestamp.body`, as `v1,<base64>`, one a secret, with spaces between them.
"""

import base64
import binascii
import hmac
import re
import time
from collections.abc import Mapping, Sequence

from penstock.engine.errors import ConfigurationError, PenstockError

PREFIX = "whsec_"
TOLERANCE = 300.0
"""Seconds that a message's time and the receiver's may differ: what the scheme's own libraries take."""
_SHORTEST, _LONGEST = 24, 64  # bytes of a secret, by the specification
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class VerificationFailed(PenstockError):
    """A message is not what a holder of one of the secrets has sent of late; answer 400 and do nothing."""


def key_of(secret: str) -> bytes:
    """The bytes that sign, of `whsec_<base64>`; raises `ConfigurationError`, which does not quote it."""
    try:
        if secret.startswith(PREFIX):
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
            if _SHORTEST <= len(key) <= _LONGEST:
                return key
    except (binascii.Error, ValueError):
        pass
    raise ConfigurationError(
        f"a webhook secret is malformed: expected {PREFIX} and the base64 of {_SHORTEST} to {_LONGEST} bytes"
    ) from None


def sign(message_id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The three headers of a message; `timestamp` is in seconds since the epoch.

    The id may hold no full stop: what is signed would read as another id with another time.
    """
    if "." in message_id:
        raise ValueError(f"{message_id!r} holds a full stop")
    signatures = (_signature(key, message_id, str(timestamp), body) for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[str],
    *,
    tolerance: float = TOLERANCE,
    now: float | None = None,
) -> str:
    """Check a message that was received, its body as it came; return its id, to drop what comes twice.

    Headers by name, in any case; any of `secrets` may have signed, which is how they are changed. Signatures
    are compared in constant time. Raises `VerificationFailed`; `ConfigurationError` for a malformed secret.
    """
    found = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = (
        found.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature")
    )
    if not (message_id and signatures and _TIMESTAMP.fullmatch(timestamp)):
        raise VerificationFailed("webhook-id, webhook-timestamp or webhook-signature is missing or malformed")
    age = (time.time() if now is None else now) - int(timestamp)
    if abs(age) > tolerance:
        raise VerificationFailed(f"the message is {age:.0f} s old, and {tolerance:.0f} s are tolerated")
    given = [each.encode() for each in signatures.split()]
    right = [_signature(key_of(secret), message_id, timestamp, body).encode() for secret in secrets]
    if not any(hmac.compare_digest(one, other) for one in given for other in right):
        raise VerificationFailed("no signature is that of a secret known here")
    return message_id


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"
