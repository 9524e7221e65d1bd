"""A job's arguments and result, typed: what its signature says is what is accepted, stored and passed.

From the signature of a job function a msgspec struct is made; it decodes and validates arguments
from Python, JSON and the record alike.
"""

import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from penstock.engine.errors import ConfigurationError, InvalidArguments, PayloadTooLarge
from penstock.engine.limits import MAX_ARGUMENTS, MAX_RESULT
from penstock.engine.provided import PROVIDED

_encode = msgspec.msgpack.Encoder().encode
_FIELD = re.compile(r"(?:field|required field) `([^`]+)`")
_PATH = re.compile(r"`\$\.([A-Za-z_][A-Za-z0-9_]*)")


class Logged:
    """Marks a job's parameter whose value may stand on log lines: `width: Annotated[int, Logged()]`.

    Of all others nothing is ever logged. Values are cut, and secrets hidden, as anywhere in logs.
    """

    def __repr__(self) -> str:
        return "Logged()"


class Signature:
    """The arguments of one job function, the leading `ctx` left out."""

    def __init__(self, job: str, function: Callable[..., Any]) -> None:
        """Read the signature.

        Raises:
            ConfigurationError: an annotation is missing, unknown to msgspec, or a parameter is
                positional-only or variadic.
        """
        self.job = job
        hints = _hints(job, function)
        parameters = list(inspect.signature(function).parameters.values())
        self.takes_context = bool(parameters) and _is_context(hints.get(parameters[0].name))
        if self.takes_context:
            parameters = parameters[1:]
        self.needs = _needs(job, parameters, hints)
        """Parameters that are no arguments: they are given what some lifespan yields, by its type."""
        parameters = [each for each in parameters if each.name not in self.needs]
        self.names = [parameter.name for parameter in parameters]
        self.types = {name: hints.get(name) for name in self.names}
        self._struct = _arguments_struct(job, parameters, hints)
        self.marked = [name for name in self.names if _is_marked(hints.get(name))]
        """Parameters that are `Logged`."""
        try:
            self._decoder = msgspec.msgpack.Decoder(self._struct)
            self._json_decoder = msgspec.json.Decoder(self._struct)
            self.result_type = hints.get("return", Any)
            msgspec.json.schema(self._struct)
        except TypeError as error:
            raise ConfigurationError(f"job {job}: an argument's type cannot be stored: {error}") from error

    # --- submitting ----------------------------------------------------------------------

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> msgspec.Raw:
        """Check and encode a call from Python.

        Raises:
            InvalidArguments: an argument is missing, unexpected, of the wrong type or not serialisable.
            PayloadTooLarge: all of them together exceed `MAX_ARGUMENTS` bytes.
        """
        if len(args) > len(self.names):
            raise InvalidArguments(
                f"{self.job} takes {len(self.names)} arguments, {len(args)} were given positionally"
            )
        bound = dict(zip(self.names, args, strict=False))
        for name in kwargs:
            if name in bound:
                raise InvalidArguments(f"{self.job}: argument `{name}` was given twice", field=name)
        bound.update(kwargs)
        try:
            raw = _encode(bound)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise self._unserialisable(bound, error) from error
        return self._checked(self._decoder.decode, raw)

    def bind_json(self, raw: bytes) -> msgspec.Raw:
        """Check and encode a JSON object of arguments; raises as `bind` does."""
        return self._checked(self._json_decoder.decode, raw)

    def _checked(self, decode: Callable[[bytes], msgspec.Struct], raw: bytes) -> msgspec.Raw:
        if len(raw) > MAX_ARGUMENTS:
            raise PayloadTooLarge(
                f"{self.job}: the arguments take {len(raw)} bytes, at most {MAX_ARGUMENTS} are "
                "accepted; store large data elsewhere and pass its name",
                field="args",
            )
        try:
            return msgspec.Raw(_encode(decode(raw)))
        except msgspec.ValidationError as error:
            raise self.explain(error) from error
        except (msgspec.DecodeError, OverflowError, RecursionError, UnicodeDecodeError) as error:
            raise InvalidArguments(f"{self.job}: arguments are malformed: {error}", field="args") from error

    def explain(self, error: msgspec.ValidationError) -> InvalidArguments:
        """Name the argument at fault, what was expected, and what the job takes."""
        text = str(error)
        found = _FIELD.search(text) or _PATH.search(text)
        field = found[1] if found else None
        message = (
            text.replace("Object missing required field", "missing argument")
            .replace("Object contains unknown field", "unexpected argument")
            .replace(" - at `$.", " for `")
        )
        return InvalidArguments(
            f"{self.job}: {message}; it takes ({', '.join(self.describe())})", field=field
        )

    def describe(self) -> list[str]:
        """The parameters as written: `width: int = 200`."""
        return [
            f"{field.name}: {_type_name(field.type)}" + ("" if field.required else f" = {field.default!r}")
            for field in msgspec.structs.fields(self._struct)
        ]

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the arguments."""
        return msgspec.json.schema(self._struct)

    def _unserialisable(self, bound: Mapping[str, Any], error: Exception) -> InvalidArguments:
        for name, value in bound.items():
            try:
                _encode(value)
            except (TypeError, ValueError, OverflowError, RecursionError):
                return InvalidArguments(
                    f"{self.job}: argument `{name}` of type {type(value).__name__} cannot be "
                    f"serialised ({error}); pass plain data, dataclasses or msgspec structs",
                    field=name,
                )
        return InvalidArguments(f"{self.job}: the arguments cannot be serialised: {error}")

    # --- running -------------------------------------------------------------------------

    def unpack(self, raw: msgspec.Raw) -> dict[str, Any]:
        """Decode stored arguments into keyword arguments; raises `InvalidArguments`."""
        try:
            arguments = self._decoder.decode(raw)
        except msgspec.ValidationError as error:
            raise self.explain(error) from error
        except msgspec.DecodeError as error:
            raise InvalidArguments(f"{self.job}: stored arguments are malformed: {error}") from error
        return {name: getattr(arguments, name) for name in self.names}

    def logged(self, raw: msgspec.Raw) -> dict[str, Any] | None:
        """The `Logged` ones among stored arguments; None where there are none, or they do not decode."""
        if not self.marked:
            return None
        try:
            arguments = self._decoder.decode(raw)
        except msgspec.DecodeError:  # the attempt itself will say so
            return None
        return {name: getattr(arguments, name) for name in self.marked}


def encode_result(job: str, value: object) -> msgspec.Raw:
    """Encode what a handler returned.

    Raises:
        InvalidArguments: it is not serialisable.
        PayloadTooLarge: it exceeds `MAX_RESULT` bytes.
    """
    try:
        raw = _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidArguments(
            f"{job} returned a {type(value).__name__} that cannot be serialised: {error}"
        ) from error
    if len(raw) > MAX_RESULT:
        raise PayloadTooLarge(
            f"{job} returned {len(raw)} bytes, at most {MAX_RESULT} are kept; "
            "store large results elsewhere and return their name"
        )
    return msgspec.Raw(raw)


def _hints(job: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # whatever an annotation raises when it is evaluated is a declaration fault
        raise ConfigurationError(f"job {job}: its annotations do not resolve: {error}") from error


def _arguments_struct(
    job: str, parameters: list[inspect.Parameter], hints: Mapping[str, Any]
) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for parameter in parameters:
        name = parameter.name
        if parameter.kind not in (
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.KEYWORD_ONLY,
        ):
            raise ConfigurationError(f"job {job}: parameter {name} must have a name of its own")
        if name not in hints:
            raise ConfigurationError(f"job {job}: parameter {name} has no type; write `{name}: <type>`")
        if parameter.default is inspect.Parameter.empty:
            fields.append((name, hints[name]))
        else:
            default = parameter.default
            fields.append((name, hints[name], _default(default)))
    return msgspec.defstruct(
        job.replace(".", "_"), fields, kw_only=True, forbid_unknown_fields=True, frozen=True
    )


def _needs(job: str, parameters: list[inspect.Parameter], hints: Mapping[str, Any]) -> dict[str, type[Any]]:
    names = [parameter.name for parameter in parameters if parameter.default is PROVIDED]
    for name in names:
        if not isinstance(hints.get(name), type):
            raise ConfigurationError(f"job {job}: {name} is PROVIDED by its type, which has to be a class")
    return {name: hints[name] for name in names}


def _default(value: Any) -> Any:
    if isinstance(value, (list, dict, set)):
        return msgspec.field(default_factory=value.copy)  # each call its own copy
    return value


def _is_marked(hint: object) -> bool:
    return any(mark is Logged or isinstance(mark, Logged) for mark in getattr(hint, "__metadata__", ()))


def _is_context(hint: object) -> bool:
    return getattr(hint, "__penstock_context__", False) is True


def _type_name(kind: Any) -> str:
    if _is_marked(kind) and len(kind.__metadata__) == 1:
        kind = kind.__origin__
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
