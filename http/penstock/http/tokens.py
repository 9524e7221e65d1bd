"""Tokens: who may do what, and for which tenant."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, NoReturn, TypeAlias, get_args

import msgspec

from penstock.engine.names import MAX_PRIORITY
from penstock.engine.request import Request
from penstock.http.metrics import REFUSALS
from penstock.http.problems import FORBIDDEN, Refused

Scope: TypeAlias = Literal["submit", "read", "operate"]
"""`submit` jobs; `read` jobs, history and queues; `operate`: end jobs, and whatever else changes them."""

SCOPES: tuple[Scope, ...] = get_args(Scope)


class Token(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One token, as it stands on its line of the file."""

    name: str
    """By which people know it, to take it back."""
    sha256: str
    """Of the secret, 64 hex digits."""
    scopes: tuple[Scope, ...]
    tenant: str | None = None
    """Whose jobs it submits and sees, and nobody else's. None: those of all, as its requests name them."""
    user: str | None = None
    """On whose behalf it submits; None: as its requests name them."""
    max_priority: Annotated[int, msgspec.Meta(ge=0, le=MAX_PRIORITY)] = MAX_PRIORITY
    expires: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """From then on it is not valid; None: it is until it is removed."""

    def sees(self, tenant: str | None) -> bool:
        """Whether jobs of this tenant exist for whoever has the token."""
        return self.tenant is None or self.tenant == tenant

    def tenant_for(self, named: str | None) -> str | None:
        """The tenant of a request that names one, or none; raises `Refused` for another than the token's."""
        return _own("tenant", named, self.tenant)

    def user_for(self, named: str | None) -> str | None:
        """The user of a request that names one, or none; raises `Refused` for another than the token's."""
        return _own("user", named, self.user)

    def check_priority(self, named: int | None) -> None:
        """Raise `Refused` where a submission names a priority beyond the token's."""
        if named is not None and self.max_priority < named <= MAX_PRIORITY:
            forbid("priority", f"this token submits up to priority {self.max_priority}", field="priority")

    def bounded(self, request: Request) -> Request:
        """The request, at the token's priority where the job declares a higher one."""
        if request.priority <= self.max_priority:
            return request
        return msgspec.structs.replace(request, priority=self.max_priority)


ANYBODY = Token(name="", sha256="", scopes=SCOPES)
"""Whoever asks where no tokens are asked for."""

ASKER = "_penstock.asker"
"""Where the gate leaves the token in a request's scope."""

Find: TypeAlias = Callable[[bytes], Token | None]
"""Finds the token of a secret; called for each request, so it may not wait."""


def asker_of(scope: Mapping[str, Any]) -> Token:
    """Whose request this is; fails where the gate has not let it in."""
    token: Token = scope[ASKER]
    return token


def forbid(reason: str, detail: str, *, field: str | None = None, challenge: str | None = None) -> NoReturn:
    """Refuse what a valid token does not allow; `challenge` is said in `WWW-Authenticate`."""
    REFUSALS.inc(reason=reason)
    headers = {} if challenge is None else {"WWW-Authenticate": challenge}
    raise Refused(FORBIDDEN, detail, field=field, headers=headers)


def _own(field: str, named: str | None, own: str | None) -> str | None:
    if own is None:
        return named
    if named not in (None, own):
        forbid(field, f"this token is for one {field}, and the request names another", field=field)
    return own
