"""Which hosts something applies to: exact names, whole domains, or all."""

import re
from collections.abc import Sequence

from penstock.engine.errors import ConfigurationError

_PATTERN = re.compile(r"\*|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:.]*:[0-9a-f:.]*")


class HostPatterns:
    """`api.example.com` is that host alone, `.example.com` every host below it but not itself, `*` any.

    Names are compared as they travel: in lower case, IDNA-encoded, without a dot at the end.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        """Sort the patterns; raises `ConfigurationError` for what is none (a URL, a port, a star within)."""
        for pattern in patterns:
            if _PATTERN.fullmatch(pattern) is None:
                raise ConfigurationError(
                    f"{pattern!r} is no pattern of hosts: expected api.example.com, .example.com or *"
                )
        self._exact = {pattern for pattern in patterns if not pattern.startswith((".", "*"))}
        self._suffixes = sorted((each for each in patterns if each.startswith(".")), key=len, reverse=True)
        self._any = "*" in patterns

    def match(self, host: str) -> str | None:
        """The narrowest pattern that covers `host`, None where none does."""
        if host in self._exact:
            return host
        for suffix in self._suffixes:
            if host.endswith(suffix) and len(host) > len(suffix):
                return suffix
        return "*" if self._any else None
