"""Asking over HTTP, and waiting, with a bound, for what nobody tells."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, NamedTuple

WITHIN = 60.0
"""Seconds that anything may take on a machine that is swamped."""
EVERY = 0.1


class Answer(NamedTuple):
    """What a server said."""

    status: int
    headers: dict[str, str]
    """By lower-case names."""
    body: bytes

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


def ask(url: str, body: object = None, *, raw: bytes | None = None, kind: str = "application/json") -> Answer:
    """GET, or POST `body` as JSON or `raw` as it is. Any status is an answer; raises `OSError` for none."""
    data = raw if raw is not None else (None if body is None else json.dumps(body).encode())
    request = urllib.request.Request(url, data, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=WITHIN) as response:
            return Answer(response.status, _lowered(response.headers.items()), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _lowered(error.headers.items()), error.read())


def query(url: str, **parameters: str) -> Answer:
    """GET with parameters."""
    return ask(f"{url}?{urllib.parse.urlencode(parameters)}")


def until(true: Callable[[], bool], what: str | Callable[[], str], *, within: float = WITHIN) -> float:
    """Seconds until `true` was; raises `AssertionError`, with what was waited for, if it never is."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > within:
            raise AssertionError(f"not within {within:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(EVERY)
    return time.monotonic() - began


def _lowered(items: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in items}
