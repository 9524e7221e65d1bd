"""Secrets of tokens, the file that knows their hashes, and finding a token by its secret.

A secret is 32 random bytes, so its plain SHA-256 is enough to keep: nobody guesses such a number, whereas
slow hashes protect what people choose for themselves. And a slow one would be paid for each request, by us.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

import msgspec

from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.engine.limits import MAX_KEY
from penstock.engine.names import check_tenant, check_text
from penstock.http.tokens import Token

PREFIX = "penstock_"
"""By it scanners find a secret that somebody has published."""
_SECRET_BYTES = 32
_DIGEST = re.compile(r"[0-9a-f]{64}")


class TokenBook:
    """The tokens of one API."""

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self._tokens = {bytes.fromhex(token.sha256): token for token in tokens}

    def __len__(self) -> int:
        return len(self._tokens)

    def find(self, secret: bytes) -> Token | None:
        """The token of a secret, expired or not; costs the same whether there is one or not.

        How long it takes tells nothing of use: what is looked up is a hash that nobody can choose, and the
        last comparison takes the same time wherever two differ.
        """
        digest = hashlib.sha256(secret).digest()
        token = self._tokens.get(digest)
        known = bytes(len(digest)) if token is None else bytes.fromhex(token.sha256)
        return token if hmac.compare_digest(digest, known) else None


def new_secret() -> str:
    """A secret that nobody has had before."""
    return PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def digest_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def read_tokens(text: bytes) -> list[Token]:
    """Read a file of tokens: a JSON object each line; blank lines and those that begin with # are comments.

    Raises `ConfigurationError`, which names the line and quotes nothing that could be secret.
    """
    found: dict[str, Token] = {}
    digests = set[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        token = _read_line(number, line)
        if token.name in found or token.sha256 in digests:
            raise ConfigurationError(f"line {number}: its name or its sha256 stands on a line before")
        found[token.name] = token
        digests.add(token.sha256)
    return list(found.values())


_decode = msgspec.json.Decoder(Token).decode


def _read_line(number: int, line: bytes) -> Token:
    try:
        token = _decode(line)
        check_text("name", token.name, MAX_KEY)
        check_tenant(token.tenant)
        if token.user is not None:
            check_text("user", token.user, MAX_KEY)
    except (msgspec.DecodeError, UnicodeDecodeError, InvalidRequest) as error:
        raise ConfigurationError(f"line {number}: {error}") from error
    if _DIGEST.fullmatch(token.sha256) is None:
        raise ConfigurationError(f"line {number}: sha256 is expected to have 64 of 0-9 and a-f")
    return token
