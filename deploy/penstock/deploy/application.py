"""Loading an application from its name: `package.module:attribute`, or that of an installed module.

Packages publish modules as entry points of the group `penstock.modules`:

    [project.entry-points."penstock.modules"]
    webhooks = "acme_webhooks:webhooks"
"""

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from penstock.engine import __file__ as engine_file
from penstock.engine.errors import ConfigurationError
from penstock.engine.module import Module
from penstock.engine.registry import Registry

_EXPECTED = "expected package.module:attribute, like examples.codeindex:index"


GROUP = "penstock.modules"


def load_application(name: str, more: Sequence[str] = ()) -> Registry:
    """Import what `name` and each of `more` say, the current directory first, and collect their jobs.

    Each is `package.module:attribute`, and the attribute a `Module`, a sequence of `Module`s or a `Registry`;
    or the name of a module that an installed package offers as an entry point.

    Raises `ConfigurationError`, which names what is missing, and for an import that fails the error
    itself and the line where it happened.
    """
    if not more:
        found = _found(name)
        return found if isinstance(found, Registry) else Registry(found)
    modules = [module for each in (name, *more) for module in _modules(_found(each))]
    return Registry(dict.fromkeys(modules))


def _modules(found: Registry | Sequence[Module]) -> Sequence[Module]:
    return found.modules if isinstance(found, Registry) else found


def _found(name: str) -> Registry | Sequence[Module]:
    module_name, attribute = _places(name)
    found = _attribute(_import(module_name), attribute)
    if isinstance(found, Registry):
        return found
    modules = [found] if isinstance(found, Module) else found
    if not _are_modules(modules):
        raise ConfigurationError(
            f"APP {name} is {_kind(found)}: expected a Module, a list of Modules or a Registry"
        )
    return cast(Sequence[Module], modules)


def _places(name: str) -> tuple[str, str]:
    """The module and the attribute in it that `name` means."""
    module_name, colon, attribute = name.partition(":")
    if module_name and colon and attribute:
        return module_name, attribute
    offered = {point.name: point for point in entry_points(group=GROUP)}
    if name in offered and offered[name].attr:
        return offered[name].module, offered[name].attr
    known = f"; installed packages offer {', '.join(sorted(offered))}" if offered else ""
    raise ConfigurationError(f"APP {name!r} does not name an application: {_EXPECTED}{known}")


def _import(name: str) -> ModuleType:
    if os.getcwd() not in sys.path:  # a console script's first entry is the folder of the script
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise ConfigurationError(
                f"there is no module {error.name!r} in {os.getcwd()} or among the installed packages"
            ) from error
        raise _import_failed(name, error) from error
    except (Exception, SystemExit) as error:  # the module is the user's own code: anything may happen
        raise _import_failed(name, error) from error


def _import_failed(name: str, error: BaseException) -> ConfigurationError:
    text = traceback.format_exception_only(error)[-1].strip()
    return ConfigurationError(f"module {name} cannot be imported: {text} ({_place(error)})")


_OURS = (str(Path(__file__).parent), str(Path(engine_file).parent))
"""Where a declaration is checked is of no interest; where it stands is."""


def _place(error: BaseException) -> str:
    """The file and line where it happened, the import machinery's own frames left out."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and not frame.filename.startswith(_OURS)
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "no line of it ran"


def _attribute(module: ModuleType, attribute: str) -> Any:
    try:
        return getattr(module, attribute)
    except AttributeError:
        public = [name for name in vars(module) if not name.startswith("_")]
        suitable = [name for name in public if isinstance(getattr(module, name), Module | Registry)]
        near = difflib.get_close_matches(attribute, public, n=3) or suitable
        hint = f"did you mean {' or '.join(near)}?" if near else "it declares no Module"
        raise ConfigurationError(f"module {module.__name__} has no {attribute!r}; {hint}") from None


def _are_modules(found: object) -> bool:
    if not isinstance(found, Sequence) or isinstance(found, str | bytes):
        return False
    items = cast(Sequence[object], found)
    return bool(items) and all(isinstance(item, Module) for item in items)


def _kind(found: object) -> str:
    if isinstance(found, list | tuple) and not found:
        return "empty"
    return f"of type {type(found).__name__}"
