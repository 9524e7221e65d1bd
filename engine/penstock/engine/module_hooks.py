"""What modules declare beside jobs and metrics: lifespans and health checks, and what these need.

A lifespan is an async generator function that yields once. What it yields is given, by its type, to the other
lifespans, jobs and health checks that ask for that type.
"""

import inspect
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec

from penstock.engine.errors import ConfigurationError

_YIELDS = (AsyncIterator, AsyncGenerator)


class Lifespan(msgspec.Struct, frozen=True):
    """One module's start and end."""

    module: str
    function: Callable[..., AsyncGenerator[Any]]
    needs: Mapping[str, type[Any]]
    """Parameters and their types."""
    provides: type[Any] | None

    def __repr__(self) -> str:
        return f"lifespan {self.function.__name__} of {self.module}"


def declare_lifespan(module: str, function: Callable[..., Any]) -> Lifespan:
    """Read what it needs and provides from its annotations; raises `ConfigurationError`."""
    where = f"lifespan {function.__name__} of {module}"
    if not inspect.isasyncgenfunction(function):
        raise ConfigurationError(f"{where}: expected an async def that yields once")
    hints = _hints(where, function)
    given = hints.pop("return", None)
    if typing.get_origin(given) not in _YIELDS:
        raise ConfigurationError(f"{where}: say what it yields, as in `-> AsyncIterator[Bucket]`")
    kind = typing.get_args(given)[0]
    provides = None if kind is type(None) else kind
    return Lifespan(module, function, needs_of(where, function), provides)


def needs_of(where: str, function: Callable[..., Any]) -> dict[str, type[Any]]:
    """The parameters of a function that is given all it takes by type; raises `ConfigurationError`."""
    hints = _hints(where, function)
    missing = [name for name in inspect.signature(function).parameters if name not in hints]
    if missing:
        raise ConfigurationError(f"{where}: parameter {missing[0]} has no type; it is found by its type")
    return {name: kind for name, kind in hints.items() if name != "return"}


def in_order(lifespans: Iterable[Lifespan], given: Iterable[type[Any]]) -> list[Lifespan]:
    """Each after those whose yields it needs, else as declared.

    Raises `ConfigurationError` where a type is provided twice, by nobody, or by two that need each other.
    """
    waiting, ready, there = list(lifespans), list[Lifespan](), set(given)
    providers: dict[type[Any], Lifespan] = {}
    for lifespan in waiting:
        if lifespan.provides is not None:
            other = providers.setdefault(lifespan.provides, lifespan)
            if other is not lifespan or lifespan.provides in there:
                twice = lifespan.provides.__qualname__
                raise ConfigurationError(f"{twice} is provided twice, the second time by the {lifespan!r}")
    while waiting:
        following = next((each for each in waiting if there.issuperset(each.needs.values())), None)
        if following is None:
            raise ConfigurationError(_stuck(waiting, providers, there))
        waiting.remove(following)
        ready.append(following)
        if following.provides is not None:
            there.add(following.provides)
    return ready


class EventHandler(msgspec.Struct, frozen=True):
    """A job that is submitted for each event of a topic, with the event as its one argument."""

    topic: str
    job: str
    """Its name; also that of its group: each handler gets all events, its processes share them."""
    type: Any
    """What events are decoded into."""


class HealthCheck(msgspec.Struct, frozen=True):
    """One module's."""

    module: str
    function: Callable[..., Awaitable[str | None]]
    needs: Mapping[str, type[Any]]


def declare_check(module: str, function: Callable[..., Any]) -> HealthCheck:
    """Read what it needs from its annotations; raises `ConfigurationError`."""
    where = f"health check of {module}"
    if not inspect.iscoroutinefunction(function):
        raise ConfigurationError(f"{where}: expected an async def that returns None, or what is wrong")
    return HealthCheck(module, function, needs_of(where, function))


def _hints(where: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception as error:  # whatever an annotation raises when it is evaluated is a declaration fault
        raise ConfigurationError(f"{where}: its annotations do not resolve: {error}") from error


def _stuck(waiting: list[Lifespan], providers: Mapping[type[Any], Lifespan], there: set[type[Any]]) -> str:
    for lifespan in waiting:
        for kind in lifespan.needs.values():
            if kind not in there and kind not in providers:
                return f"the {lifespan!r} needs {kind.__qualname__}, which nothing provides"
    return f"these need each other, none can start first: {', '.join(map(repr, waiting))}"
