"""Addresses that name several servers: the Sentinels of a master, or nodes of a Cluster.

    redis+sentinel://[user:password@]host[:26379][,host…]/master_name[/db][?options]
    redis+cluster://[user:password@]host[:6379][,host…][/0][?options]

User, password and options are those of `redis://` and hold for every server; `rediss+…` is TLS to all of
them, Sentinels included. Sentinels are greeted without a login unless `sentinel_username=` and
`sentinel_password=` are among the options.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from penstock.engine.errors import ConfigurationError
from penstock.engine.transport.address import Address, read_fields, redacted

_SENTINEL = "redis+sentinel://[user:password@]host[:26379][,host…]/master_name[/db]"
_CLUSTER = "redis+cluster://[user:password@]host[:6379][,host…]"
_NETLOC = re.compile(r"([a-z+]+)://([^/?#]*)(.*)", re.ASCII | re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelAddress:
    """A master by its name, and the Sentinels that know where it is.

    `server` is how to greet the master; its host and port are not looked at.
    """

    sentinels: tuple[Address, ...]
    master: str
    server: Address

    @property
    def connect_timeout(self) -> float:
        """Seconds, as for one server."""
        return self.server.connect_timeout

    def __str__(self) -> str:
        return f"{_shown(self.server, 'sentinel', self.sentinels)}/{self.master}/{self.server.db}"

    @classmethod
    def parse(cls, url: str) -> Self:
        """The address that `url` names. Raises `ConfigurationError`, never showing a password."""
        several = _Several(url, _SENTINEL, 26379)
        master, _, db = several.path.partition("/")
        if not master:
            raise several.wrong("It names no master.")
        username, password = several.pop("sentinel_username"), several.pop("sentinel_password")
        servers = several.addresses(db)
        sentinels = tuple(replace(server, username=username, password=password, db=0) for server in servers)
        return cls(sentinels=sentinels, master=unquote(master), server=servers[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAddress:
    """Nodes of a Cluster to ask first; it tells of the others."""

    seeds: tuple[Address, ...]

    @property
    def connect_timeout(self) -> float:
        """Seconds, as for one server."""
        return self.seeds[0].connect_timeout

    def __str__(self) -> str:
        return _shown(self.seeds[0], "cluster", self.seeds)

    @classmethod
    def parse(cls, url: str) -> Self:
        """The address that `url` names. Raises `ConfigurationError`, never showing a password."""
        several = _Several(url, _CLUSTER, 6379)
        seeds = several.addresses(several.path)
        if seeds[0].db:
            raise several.wrong(f"A Cluster has database 0 only, not {seeds[0].db}.")
        return cls(seeds=seeds)


class _Several:
    """The parts of such a URL."""

    def __init__(self, url: str, expected: str, port: int) -> None:
        self._url = url
        self._expected = expected
        self._port = port
        # Several hosts are no host: newer Pythons refuse them as soon as one is an IPv6 address in brackets.
        # They are taken out, and each is judged by itself, in a URL of its own.
        whole = _NETLOC.fullmatch(url)
        if whole is None:
            raise self.wrong("It is malformed.")
        scheme: str = whole[1]
        netloc: str = whole[2]
        parts = urlsplit(f"{scheme}://{whole[3]}")
        self._scheme = scheme.lower().partition("+")[0]
        self._login, self._at, self._hosts = netloc.rpartition("@")
        self.path = parts.path.strip("/")
        if "@" in self.path:  # a password with a slash in it
            raise self.wrong("It is malformed.")
        self._options = dict(parse_qsl(parts.query))
        if misplaced := self._options.keys() & {"host", "port", "path"}:
            raise self.wrong(f"The option {misplaced.pop()!r} has no meaning here.")

    def pop(self, option: str) -> str | None:
        """Take an option that servers do not have."""
        return self._options.pop(option, None)

    def addresses(self, db: str) -> tuple[Address, ...]:
        """What the URL means for each of its hosts."""
        tail = f"/{db}?{urlencode(self._options)}"
        return tuple(
            Address(**self._fields(f"{self._scheme}://{self._login}{self._at}{host}{tail}"))
            for host in map(self._with_port, self._hosts.split(","))
        )

    def wrong(self, reason: str) -> ConfigurationError:
        """The error to raise; it shows no password."""
        return ConfigurationError(
            f"{redacted(self._url)} is no URL that can be used. {reason} Expected {self._expected}, or "
            "rediss+… for TLS. Percent-encode special characters in user name and password."
        )

    def _fields(self, url: str) -> dict[str, Any]:
        return read_fields(url, self.wrong)

    def _with_port(self, host: str) -> str:
        if not host or host.startswith(":"):
            raise self.wrong("One of the hosts is empty.")
        return host if ":" in host.rpartition("]")[2] else f"{host}:{self._port}"


def _shown(server: Address, kind: str, servers: tuple[Address, ...]) -> str:
    scheme, _, _ = str(server).partition("://")
    user = f"{server.username or ''}:***@" if server.username or server.password else ""
    hosts = [str(replace(one, username=None, password=None)) for one in servers]
    return f"{scheme}+{kind}://{user}" + ",".join(
        host.partition("://")[2].rpartition("/")[0] for host in hosts
    )
