"""Tokens for tests, and requests that carry them."""

from typing import Any

import msgspec

from penstock.http.token_book import TokenBook, digest_of
from penstock.http.tokens import SCOPES, Token

SECRETS = {
    "all": "penstock_all-0123456789",
    "reader": "penstock_reader-0123456789",
    "submitter": "penstock_submitter-0123456789",
    "operator": "penstock_operator-0123456789",
    "acme": "penstock_acme-0123456789",
    "ann": "penstock_ann-0123456789",
    "modest": "penstock_modest-0123456789",
    "powerless": "penstock_powerless-0123456789",
}
_RIGHTS: dict[str, dict[str, Any]] = {
    "reader": {"scopes": ("read",)},
    "submitter": {"scopes": ("submit",)},
    "operator": {"scopes": ("operate",)},
    "acme": {"tenant": "acme"},
    "ann": {"tenant": "acme", "user": "ann"},
    "modest": {"max_priority": 3},
    "powerless": {"scopes": ()},
}


def token(name: str, **fields: Any) -> Token:
    """One with all rights, but for what is said."""
    return msgspec.structs.replace(Token(name=name, sha256=digest_of(SECRETS[name]), scopes=SCOPES), **fields)


def book() -> TokenBook:
    """One token of each kind."""
    return TokenBook(token(name, **_RIGHTS.get(name, {})) for name in SECRETS)


def bearer(name: str) -> dict[str, str]:
    """The header of a request with this token."""
    return {"Authorization": f"Bearer {SECRETS[name]}"}
