"""What is there while a worker runs, found by its type."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

T = TypeVar("T")


@runtime_checkable
class ByModule(Protocol):
    """What is another thing for each module, as the cache is."""

    def for_module(self, name: str) -> Any:
        """The one of a module."""
        ...


class Resources:
    """What is there while a worker runs, by type."""

    def __init__(self, given: Mapping[type[Any], object] | None = None) -> None:
        self._values: dict[type[Any], object] = dict(given or {})

    def get(self, kind: type[T], module: str) -> T:
        """The one of a type, for a module; raises `LookupError` where there is none."""
        value = self._values[kind]
        return cast(T, value.for_module(module) if isinstance(value, ByModule) else value)

    def find(self, kind: type[T]) -> T | None:
        """The one of a type, the same for all modules, or None."""
        return cast("T | None", self._values.get(kind))

    def pick(self, needs: Mapping[str, type[Any]], module: str) -> dict[str, Any]:
        """Keyword arguments for what a function needs."""
        return {name: self.get(kind, module) for name, kind in needs.items()}

    def add(self, kind: type[Any], value: object) -> None:
        """Have one more."""
        self._values[kind] = value
