"""Asks an API server over HTTP, and hears what changes."""

import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cached_property
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, cast

from manifests.kustomized import Object

WITHIN = 100.0
"""Seconds that anything may take on a machine that is swamped."""


class Refused(Exception):
    """The API server's answer was not a good one; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """The API server at `url`, whose certificate is its own; asked with the token of somebody."""

    def __init__(self, url: str, certificate: Path, token: str) -> None:
        self.url = url
        self.certificate = certificate
        self.port = urllib.parse.urlsplit(url).port
        self._token = token

    def get(self, path: str, **query: str) -> Object:
        """What stands at a path, or `Refused`."""
        with self._asked(path, query) as answer:
            return cast(Object, json.load(answer))

    def items(self, path: str, **query: str) -> list[Object]:
        """Everything in the list at a path."""
        return list(self.get(path, **query)["items"])

    def post(self, path: str, content: Object) -> Object:
        """Have something made, or `Refused`."""
        with self._asked(path, {}, content) as answer:
            return cast(Object, json.load(answer))

    @contextmanager
    def watched(self, path: str, **query: str) -> Generator[Generator[Any]]:
        """What happens to a list's objects, as pairs of ADDED, MODIFIED or DELETED and the object.

        Those that there are already come first, as ADDED.
        """
        with self._asked(path, {**query, "watch": "1"}) as answer:
            yield ((event["type"], event["object"]) for event in map(json.loads, answer))

    def ready(self) -> bool:
        """Whether it answers, and everything in it is ready."""
        try:
            with self._asked("/readyz", {}):
                return True
        except (OSError, Refused):  # no certificate yet, no port, or not ready
            return False

    @contextmanager
    def _asked(
        self, path: str, query: dict[str, str], content: Object | None = None
    ) -> Generator[HTTPResponse]:
        data = None if content is None else json.dumps(content).encode()
        asked = urllib.request.Request(f"{self.url}{path}?{urllib.parse.urlencode(query)}", data)
        asked.add_header("Authorization", f"Bearer {self._token}")
        asked.add_header("Content-Type", "application/json")
        try:
            answer = urllib.request.urlopen(asked, timeout=WITHIN, context=self._trust)
        except urllib.error.HTTPError as refused:
            with refused:
                raise Refused(refused.code, refused.read().decode()) from None
        with answer:
            yield answer

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


def until(true: Callable[[], bool], what: Callable[[], str] = lambda: "it did not come to be") -> None:
    """Return once `true` is: controllers tell nobody that they are done."""
    deadline = time.monotonic() + WITHIN
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)
