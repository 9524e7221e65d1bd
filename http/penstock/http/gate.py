"""Who comes in: the token of each request, and whether it allows what is asked."""

import time
from collections.abc import Callable, MutableMapping
from typing import Any, Literal, NoReturn

from penstock.http.metrics import REFUSALS
from penstock.http.problems import UNAUTHENTICATED, Refused
from penstock.http.routes import Route
from penstock.http.tokens import ANYBODY, ASKER, Find, Token, forbid

_REALM = 'Bearer realm="penstock"'
_LONGEST = 512
"""Bytes of a header that is looked at: nobody makes us hash what no token can be."""


class Gate:
    """Lets those in who have a valid token; everybody where there is no `find`.

    What it learns it leaves in the request's scope: `tokens.asker_of`, and for the middleware around us
    `penstock.tenant` and `penstock.user`. Refusals are RFC 6750's.
    """

    def __init__(self, find: Find | None = None, clock: Callable[[], float] = time.time) -> None:
        self._find = find
        self._clock = clock

    @property
    def asks(self) -> bool:
        """Whether tokens are asked for."""
        return self._find is not None

    def check(self, scope: MutableMapping[str, Any], route: Route | None) -> None:
        """Raise `Refused` unless the request may have `route`, or be told that there is none.

        Where nothing matched, a token is asked for all the same: strangers learn nothing.
        """
        if route is not None and route.open:
            return
        token = self.admit(scope)
        if route is None:
            return
        if route.scope is not None and route.scope not in token.scopes:
            challenge = f'{_REALM}, error="insufficient_scope", scope="{route.scope}"'
            forbid("scope", f"this needs a token with the scope {route.scope}", challenge=challenge)
        if route.whole and token.tenant is not None:
            forbid("tenant", "this is about all tenants: it needs a token that is not for one of them")

    def admit(self, scope: MutableMapping[str, Any]) -> Token:
        """The token of a request, noted in its scope; raises `Refused`."""
        token = scope[ASKER] = ANYBODY if self._find is None else self._valid(self._find, scope)
        for name, value in (("tenant", token.tenant), ("user", token.user)):
            if value is not None:
                scope[f"penstock.{name}"] = value
        return token

    def _valid(self, find: Find, scope: MutableMapping[str, Any]) -> Token:
        found = [value for name, value in scope["headers"] if name == b"authorization"]
        if not found:
            _refuse("missing", "a token is needed: send the header Authorization: Bearer <token>", _REALM)
        kind, _, secret = found[0].strip().partition(b" ")
        presented = len(found) == 1 and kind.lower() == b"bearer" and len(found[0]) <= _LONGEST
        token = find(secret.strip()) if presented else None
        if token is None:
            _refuse("unknown", "this token is not known here", f'{_REALM}, error="invalid_token"')
        if token.expires is not None and token.expires.timestamp() <= self._clock():
            _refuse("expired", "this token has expired", f'{_REALM}, error="invalid_token"')
        return token


def _refuse(reason: Literal["missing", "unknown", "expired"], detail: str, challenge: str) -> NoReturn:
    REFUSALS.inc(reason=reason)
    raise Refused(UNAUTHENTICATED, detail, headers={"WWW-Authenticate": challenge})
