"""Values as bytes and back: msgpack, read as the type that the reader names."""

import re
from functools import lru_cache
from math import isfinite
from typing import Any

import msgspec

from penstock.engine.cache.store import Place
from penstock.engine.errors import ConfigurationError, InvalidRequest

NOTHING = msgspec.msgpack.encode(None)
"""What is kept of a value that is not there."""
LONGEST_TTL = 365 * 86_400
"""Seconds; whatever is to be kept for longer belongs into a database."""

_encoder = msgspec.msgpack.Encoder()
_KEY = re.compile(r"[!-z|~]{1,250}")  # printable ASCII without space, { and }; as long as memcached's
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


def encode(value: object) -> bytes:
    """The value as it is kept; raises `InvalidRequest` for what msgspec does not know."""
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidRequest(f"this value cannot be kept in a cache: {error}", field="value") from error


def decode(data: bytes, type: Any) -> Any:  # noqa: A002 - msgspec's own word
    """A copy of the value; raises `msgspec.DecodeError` where it is of another type.

    Nothing is None for every type: it is kept only of loads that may give None.
    """
    return None if data == NOTHING else _decoder(type).decode(data)


@lru_cache(maxsize=256)  # making one takes five times as long as decoding something small
def _decoder(type: Any) -> msgspec.msgpack.Decoder[Any]:  # noqa: A002 - as above
    return msgspec.msgpack.Decoder(type)


def check_place(module: str, key: str) -> Place:
    """The place of a key; raises `InvalidRequest` for one that is too long or has other characters."""
    if _KEY.fullmatch(key) is None:
        raise InvalidRequest(
            f"{key[:300]!r} cannot be a key of the cache: expected 1 to 250 printable ASCII characters "
            "without space, { and }; of anything else use a hash",
            field="key",
        )
    return Place(module, key)


def check_module(name: str) -> str:
    """Return `name` if a module's entries can be kept under it; raise `ConfigurationError` otherwise."""
    if _MODULE.fullmatch(name) is None:
        raise ConfigurationError(
            f"{name!r} cannot name a module of the cache: expected 1 to 128 of letters, digits, _, . and -"
        )
    return name


def check_ttl(ttl: float, field: str = "ttl") -> float:
    """Return `ttl` if it is more than 0 and at most a year; raise `InvalidRequest` otherwise."""
    if not (isfinite(ttl) and 0 < ttl <= LONGEST_TTL):
        raise InvalidRequest(
            f"{field} is {ttl}: expected more than 0 and at most {LONGEST_TTL} seconds", field=field
        )
    return ttl
