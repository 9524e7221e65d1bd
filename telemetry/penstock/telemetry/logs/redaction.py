"""What nobody may read in logs, error reports and spans: secrets, known by a field's name or by their value.

Names hide a field's value wherever the field stands, in any depth of mappings. Values are replaced wherever
they stand in a text: messages, tracebacks, other libraries' lines. The bound parameters that SQLAlchemy
writes behind its errors are argument values, and hidden too. A line with nothing to hide costs a microsecond.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any, cast
from urllib.parse import quote, quote_plus
from uuid import UUID

import msgspec

HIDDEN = "[redacted]"
NAMES = (
    "access_key",
    "api_key",
    "apikey",
    "authorization",
    "connection_string",
    "cookie",
    "credential",
    "credentials",
    "dsn",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "pwd",
    "secret",
    "secret_key",
    "signing_key",
    "token",
)
"""Hidden undeclared, and so are names that end in one of them: `db_password`, `refreshToken`, `X-Api-Key`."""
SHORTEST = 6
"""Characters. A shorter secret would be found, and cut out, in words that have nothing to do with it."""

_MOST_NAMES = 4_096  # names remembered as harmless; whoever makes up more pays a microsecond for each
_MOST_DEPTH = 16
_PLAIN: frozenset[type] = frozenset(
    {str, int, float, bool, NoneType, datetime, date, time, timedelta, Decimal, UUID}
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PARAMETERS = re.compile(r"\[parameters: .*\]")
# In a line of JSON a line feed is \n, and a quotation mark that is not escaped ends the string.
_PARAMETERS_IN_JSON = re.compile(rb'\[parameters: .*?\](?=\\n|")')
_NO_PARAMETERS = "[parameters: hidden]"
_to_json = msgspec.json.Encoder().encode


class Redaction:
    """The secrets of one process. Safe to use from any thread."""

    def __init__(self, names: Iterable[str] = (), secrets: Mapping[str, str] | None = None) -> None:
        """`names` are hidden beside `NAMES`; `secrets` says of each known secret where it comes from.

        What is shorter than `SHORTEST` cannot be hidden by its value; `ignored` names it.
        """
        declared = {*NAMES, *names}
        self._endings = tuple({"_" + _words(name) for name in declared})
        self._whole = frozenset(name.lower() for name in declared)
        self._harmless: set[str] = set()
        known = secrets or {}
        self.ignored = [source for source, secret in known.items() if len(secret) < SHORTEST]
        hidden = [secret for secret in known.values() if len(secret) >= SHORTEST]
        self._texts = _longest_first({form for secret in hidden for form in _forms(secret)})
        self._encoded = _longest_first({_inside_json(form) for form in self._texts})

    def hides(self, name: str) -> bool:
        """Whether a field of this name is hidden: case, `-` and `_`, and camel case make no difference."""
        if name in self._harmless:
            return False
        if name.lower() in self._whole or f"_{_words(name)}".endswith(self._endings):
            return True
        if len(self._harmless) < _MOST_NAMES:
            self._harmless.add(name)
        return False

    def text(self, text: str) -> str:
        """`text` without the secrets whose values are known."""
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return _PARAMETERS.sub(_NO_PARAMETERS, text) if "[parameters: " in text else text

    def encoded(self, line: bytes) -> bytes:
        """The same for a line of JSON."""
        for secret in self._encoded:
            if secret in line:
                line = line.replace(secret, HIDDEN.encode())
        if b"[" in line and b"[parameters: " in line:  # the first is the quicker, and nearly always enough
            return _PARAMETERS_IN_JSON.sub(_NO_PARAMETERS.encode(), line)
        return line

    def spotless(self, names: Iterable[str], values: Mapping[str, object]) -> bool:
        """Whether all `names` are known to be harmless and `values` hold nothing that has names inside.

        Quick, for what `named` would return as it is; a name seen for the first time is not known yet.
        """
        return self._harmless.issuperset(names) and _PLAIN.issuperset(map(type, values.values()))

    def named(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of `fields` without the values of hidden names, in any depth.

        Structs, dataclasses and the like are looked into as the mappings that they are written as.
        """
        return {
            key: HIDDEN if self.hides(key) else self._value(value, 0, texts=False)
            for key, value in fields.items()
        }

    def mapping(self, fields: Mapping[str, object]) -> dict[str, Any]:
        """A copy of `fields` without hidden names, and without known secrets in its texts, in any depth."""
        return cast(dict[str, Any], self._value(fields, 0, texts=True))

    def _value(self, value: Any, depth: int, *, texts: bool) -> Any:
        if isinstance(value, str):
            return self.text(value) if texts else value
        if type(value) in _PLAIN:
            return value
        if depth == _MOST_DEPTH:
            return "…"
        if isinstance(value, Mapping):
            return {
                key: HIDDEN
                if isinstance(key, str) and self.hides(key)
                else self._value(inner, depth + 1, texts=texts)
                for key, inner in value.items()
            }
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._value(inner, depth + 1, texts=texts) for inner in value]
        try:
            plain = msgspec.to_builtins(value, enc_hook=repr)
        except Exception:  # somebody's `__repr__` raises, or an object contains itself
            return f"<{type(value).__qualname__}>"
        return self._value(plain, depth + 1, texts=texts)


def _words(name: str) -> str:
    return "_".join(_WORD.findall(name)).lower()


def _forms(secret: str) -> set[str]:
    """How a secret stands in texts: as it is, in a URL, in a `repr`, in JSON."""
    plain = {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}
    return (
        plain | {json.dumps(form)[1:-1] for form in plain} | {_inside_json(form).decode() for form in plain}
    )


def _inside_json(text: str) -> bytes:
    return _to_json(text.encode("utf-8", "backslashreplace").decode())[1:-1]


def _longest_first(forms: Iterable[Any]) -> list[Any]:
    """A secret that holds another one is replaced as a whole."""
    return sorted(forms, key=len, reverse=True)
