"""What is there while a worker runs, found by its type."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

T = TypeVar("T")


@runtime_checkable
class ByModule(Protocol):
    """What is another thing for each module, as the cache is."""

    def for_module(self, name: str) -> Any:
        """The one of a module; asked once for each."""
        ...


class Resources:
    """What is there while a worker runs, by type."""

    def __init__(self, given: Mapping[type[Any], object] | None = None) -> None:
        self._values: dict[type[Any], object] = dict(given or {})
        # Kept, as whether something is `ByModule` takes ten times as long to find out as all the rest.
        self._found: dict[tuple[type[Any], str], Any] = {}

    def get(self, kind: type[T], module: str) -> T:
        """The one of a type, for a module; raises `LookupError` where there is none."""
        place = kind, module
        if place not in self._found:
            value = self._values[kind]
            self._found[place] = value.for_module(module) if isinstance(value, ByModule) else value
        return cast(T, self._found[place])

    def find(self, base: type[T], module: str) -> T | None:
        """The first that is a `base`, for a module, or None.

        For what jobs have by a name in place of a type: a bus, a cache, whoever made it.
        """
        for kind, value in self._values.items():
            if isinstance(value, base):
                return cast(T, self.get(kind, module))  # not `value`: each module may have its own
        return None

    def pick(self, needs: Mapping[str, type[Any]], module: str) -> dict[str, Any]:
        """Keyword arguments for what a function needs."""
        return {name: self.get(kind, module) for name, kind in needs.items()}

    def add(self, kind: type[Any], value: object) -> None:
        """Have one more, or another one."""
        self._values[kind] = value
        self._found.clear()
