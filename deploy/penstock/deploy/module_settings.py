"""Settings of modules: each field of the struct that a module names, from its variable.

`Module("images", settings=ImagesSettings)` and a field `url: str` make `PENSTOCK_MODULE_IMAGES_URL`.
Numbers and booleans are read as such; what has parts (a list, a struct) is JSON.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from penstock.engine.errors import ConfigurationError
from penstock.engine.module import Module

_NOT_IN_NAMES = re.compile(r"[^A-Z0-9]+")


def read_module_settings(modules: Iterable[Module], environ: Mapping[str, str]) -> dict[type[Any], object]:
    """The settings of each module that has some, by their types.

    Raises `ConfigurationError`, which names the variable, what was expected and where it is declared.
    """
    return {
        module.settings: _read(module, module.settings, environ)
        for module in modules
        if module.settings is not None
    }


def variable(module: str, field: str) -> str:
    """The name of the variable that sets a field."""
    return f"PENSTOCK_MODULE_{_NOT_IN_NAMES.sub('_', module.upper())}_{field.upper()}"


def _read(module: Module, kind: type[msgspec.Struct], environ: Mapping[str, str]) -> object:
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        name = variable(module.name, field.name)
        if name in environ:
            values[field.name] = _value(name, environ[name], field.type)
        elif field.required:
            raise ConfigurationError(f"module {module.name} needs {name}; see {kind.__qualname__}")
    try:
        return kind(**values)
    except (ValueError, TypeError) as error:  # from its own `__post_init__`
        raise ConfigurationError(f"settings of module {module.name}: {error}") from error


def _made_of(kind: Any, value: Any) -> Any:
    """Types that msgspec does not know are made of their text, as paths are."""
    return kind(value)


def _value(name: str, text: str, kind: Any) -> Any:
    try:
        return msgspec.convert(text, kind, strict=False, dec_hook=_made_of)
    except msgspec.ValidationError as plain:
        try:
            return msgspec.json.decode(text, type=kind, dec_hook=_made_of)
        except msgspec.ValidationError as error:
            raise ConfigurationError(f"{name}: {error}") from None
        except msgspec.DecodeError:
            raise ConfigurationError(f"{name}: {plain}") from None
