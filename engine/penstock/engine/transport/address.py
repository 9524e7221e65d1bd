"""Where Redis is and how to greet it: a URL, parsed once."""

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self, cast
from urllib.parse import urlsplit

from redis import connection as redis_connection

from penstock.engine.errors import ConfigurationError

_EXPECTED = "redis://[user:password@]host[:6379][/db], rediss://… (TLS) or unix:///path?db=0"

# redis-py's options that mean something here, and the field each one sets.
_OPTIONS = {
    "host": "host",
    "port": "port",
    "path": "path",
    "db": "db",
    "username": "username",
    "password": "password",
    "client_name": "client_name",
    "socket_connect_timeout": "connect_timeout",
    "socket_timeout": "reply_timeout",
}
_TLS_OPTIONS = {
    "ssl_cert_reqs": "verify",
    "ssl_check_hostname": "check_hostname",
    "ssl_ca_certs": "ca_file",
    "ssl_ca_path": "ca_path",
    "ssl_certfile": "cert_file",
    "ssl_keyfile": "key_file",
    "ssl_password": "key_password",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """What `rediss://` checks and presents; paths are PEM files on this machine.

    `verify` is `required` (the default), `optional` or `none`, as in redis-py's `ssl_cert_reqs`.
    """

    verify: str = "required"
    check_hostname: bool = True
    ca_file: str | None = None
    ca_path: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    key_password: str | None = field(default=None, repr=False)

    def context(self) -> ssl.SSLContext:
        """A client context with these options.

        Raises `ConfigurationError` when a file cannot be read or is no PEM.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_file, capath=self.ca_path)
            context.check_hostname = self.check_hostname and self.verify != "none"
            context.verify_mode = ssl.VerifyMode[f"CERT_{self.verify.upper()}"]
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file, self.key_password)
        except (OSError, KeyError) as error:
            raise ConfigurationError(
                f"The TLS options of the Redis URL cannot be used ({error!r}): {self}. ssl_ca_certs, "
                "ssl_certfile and ssl_keyfile name readable PEM files; ssl_cert_reqs is required, "
                "optional or none."
            ) from error
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One Redis server and how to greet it; neither `str` nor `repr` shows the password.

    `path` is a unix socket and wins over `host` and `port`. Timeouts are seconds: for opening and
    greeting, and for the reply to one call.
    """

    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    tls: TLS | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    client_name: str = "penstock"
    connect_timeout: float = 3.0
    reply_timeout: float = 5.0

    def __str__(self) -> str:
        user = f"{self.username or ''}:***@" if self.username or self.password else ""
        if self.path is not None:
            return f"unix://{user}{self.path}?db={self.db}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{user}{host}:{self.port}/{self.db}"

    @classmethod
    def parse(cls, url: str) -> Self:
        """The address that `url` names, in redis-py's syntax.

        Raises `ConfigurationError` for another scheme, a malformed part or an option that has no
        meaning here; its message never contains a password. Addresses of several servers are for
        `penstock.engine.transport.open_link`.
        """
        wrong = partial(_wrong, url)
        if "+" in url.partition("://")[0]:
            raise wrong("It names several servers where one is meant; open_link takes it.")
        return cls(**read_fields(url, wrong))


def read_fields(url: str, wrong: Callable[[str], ConfigurationError]) -> dict[str, Any]:
    """The URL of one server as fields of `Address`; what `wrong` makes of a reason is raised."""
    try:
        options = _parse_url(url)
        path = urlsplit(url).path.strip("/")
    except ValueError as error:
        # The parser's other messages quote what it took for a port: perhaps half a password.
        reason = str(error) if str(error).startswith("Invalid value for") else "It is malformed."
        raise wrong(reason) from None
    if url.startswith("unix:"):
        if "path" not in options:
            raise wrong("It names no socket.")
    elif path and not path.isdecimal():  # redis-py takes database 0 without a word
        raise wrong(f"The database {path!r} is not a number.")
    return _fields(url, options, wrong)


def _fields(url: str, options: dict[str, Any], wrong: Callable[[str], ConfigurationError]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    tls: dict[str, Any] = {}
    for option, value in options.items():
        if option in _OPTIONS:
            fields[_OPTIONS[option]] = value
        elif option in _TLS_OPTIONS and url.startswith("rediss:"):
            tls[_TLS_OPTIONS[option]] = value
        elif option != "connection_class":
            known = ", ".join([*_OPTIONS, *_TLS_OPTIONS])
            raise wrong(f"The option {option!r} has no meaning here; these have: {known}.")
    if url.startswith("rediss:"):
        fields["tls"] = TLS(**tls)
    return fields


_parse_url = cast(Callable[[str], dict[str, Any]], redis_connection.parse_url)  # it ships no types


def _wrong(url: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{redacted(url)} is no Redis URL that can be used. {reason} Expected {_EXPECTED}. "
        "Percent-encode special characters in user name and password."
    )


def redacted(url: str) -> str:
    """The URL without its user part and without passwords among its options."""
    # Greedy to the last @: a password with an unescaped / or @ in it is hidden as well.
    return re.sub(r"(password=)[^&]*", r"\1***", re.sub(r"://.*@", "://***@", url))
