"""Parts of a request's work that whoever traces requests may want to see apart.

This front end knows no tracer. A middleware around it may put a function under `penstock.step` into the
request's scope; it is given a name, one of few, and makes a context manager.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from penstock.http.pipe import current_request, scope_of

_Step = Callable[[str], AbstractContextManager[Any]]
_nothing = nullcontext()


def step(name: str, scope: Mapping[str, Any] | None = None) -> AbstractContextManager[Any]:
    """`with step("parse"):` around a part of the work; nothing where nobody watches.

    `scope` is the request's, where the work is done in another task than the handler's.
    """
    make: _Step | None = (scope_of(current_request()) if scope is None else scope).get("penstock.step")
    return _nothing if make is None else make(name)
