"""Where webhooks go and what signs them: a worker's configuration, never a job's argument."""

from typing import Any

import httpx
import msgspec

from penstock.engine.errors import ConfigurationError
from penstock.engine.outgoing.hosts import HostPatterns
from penstock.engine.webhooks.signing import key_of


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A receiver. Neither its secrets nor its path, which may be one, are in its `repr`.

    Raises `ConfigurationError` for a malformed URL or secret; neither is quoted.
    """

    url: str
    secrets: tuple[str, ...]
    """`whsec_<base64>`, at least one. Each signs: to change them, add the new one here, then at the receiver,
    and take the old one away here."""
    allow_private: bool = False
    """Whether its host may be at an address that is not the public internet's."""

    def __post_init__(self) -> None:
        """Check it."""
        if not self.secrets:
            raise ConfigurationError("an endpoint of webhooks needs a secret")
        if not self.host:
            raise ConfigurationError("the URL of an endpoint of webhooks is malformed")
        for secret in self.secrets:
            key_of(secret)

    @property
    def host(self) -> str:
        """Its host's name, empty where the URL has none or is not of the web."""
        return host_of(self.url)

    def __repr__(self) -> str:
        return f"<Endpoint at {self.host}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("host", self.host)]


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a worker that delivers webhooks is configured with. Seconds and bytes."""

    endpoints: dict[str, Endpoint] = {}
    """By the names that jobs use."""
    url_hosts: tuple[str, ...] = ()
    """Hosts to which jobs may deliver by a URL instead of a name, as `HostPatterns` reads them; only ever at
    public addresses."""
    url_secrets: tuple[str, ...] = ()
    """What signs these; without any they are not signed. All their receivers share it: one can forge what
    another is sent, so this is for receivers of one owner."""
    timeout: float = 20.0
    """For one attempt; the scheme advises 15 to 30."""
    max_payload: int = 64 * 1024
    """Of the JSON that is sent; the scheme advises to stay below 20 KB."""
    trace_to: tuple[str, ...] = ()
    """Hosts that see the trace context, as `HostPatterns` reads them."""

    def __post_init__(self) -> None:
        """Check it; raises `ConfigurationError`."""
        HostPatterns(self.url_hosts)
        for name in self.endpoints:
            if is_url(name):
                raise ConfigurationError("an endpoint of webhooks is named by a URL: choose a word")
        for secret in self.url_secrets:
            key_of(secret)

    @property
    def all_secrets(self) -> tuple[str, ...]:
        """For those who take secrets out of what is logged."""
        of_endpoints = (secret for each in self.endpoints.values() for secret in each.secrets)
        return (*of_endpoints, *self.url_secrets)

    def __repr__(self) -> str:
        return f"<WebhookSettings for {', '.join(self.endpoints) or 'no endpoint'}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("endpoints", list(self.endpoints))]


def is_url(endpoint: str) -> bool:
    """Whether a job's `endpoint` is an address, and no name."""
    return endpoint.startswith(("http://", "https://"))


def host_of(url: str) -> str:
    """The host of a web address, as it travels; empty for what is none."""
    try:
        return httpx.URL(url).raw_host.decode().rstrip(".") if is_url(url) else ""
    except (httpx.InvalidURL, ValueError):
        return ""
