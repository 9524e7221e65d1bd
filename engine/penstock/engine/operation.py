"""Something that a job, or the worker itself, has others do: a statement, a command, a request.

The parts of the engine that talk to the outside say so through `Seams.around_operation`, in the terms of
OpenTelemetry's semantic conventions for its kind: whoever makes spans of it has nothing to add.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

Kind = Literal["internal", "client", "producer", "consumer"]
Value = str | bool | int | float
Headers = Mapping[str, str]
"""W3C trace context, to be stored or sent to those who may see it."""


class Operation(msgspec.Struct, kw_only=True, gc=False):
    """One of them; who does it may add to `attributes`, and set `error_type`, until it has ended.

    No values of arguments and no secrets: a statement has placeholders, an address no credentials.
    """

    name: str
    """One of few: `SELECT jobs`, `GET`, `publish orders`."""
    kind: Kind = "internal"
    attributes: dict[str, Value] = {}
    """By their names in the conventions."""
    error_type: str | None = None
    """Why it failed, where it did so without raising; what it raises is seen by itself."""
