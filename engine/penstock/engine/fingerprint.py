"""Fingerprints: equal failures are counted together, whatever lines, paths and values they show.

A fingerprint is made of the job's name, the types along the chain of causes, and for each of them the
innermost frames of the application as module and function. Messages do not count, because they hold values.

Which frames are the application's: those of the job function's own top-level package, installed or not, and
all that are neither of the standard library nor installed, nor Penstock's. What happens inside a library
changes with its version and with the moment; where it was called from is what somebody has to mend, and the
type says the rest. Generated code has no name that can be relied on and is left out. A function counts once,
where it was first entered, so that the depth of a recursion changes nothing.
"""

import hashlib
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import PurePath
from types import FrameType, TracebackType
from typing import Any

CHAIN = 5
"""Exceptions along the chain of causes, and members of a group, that are looked at."""
FRAMES = 5
"""Innermost functions of each that count: callers further out make no other defect of it."""
WALKED = 50
"""Frames looked at from either end of a traceback: a recursion may have a thousand."""

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep


def fingerprint(job: str, error: BaseException, home: str = "") -> str:
    """What failures equal to this one have in common, as 16 hex digits; `home` is as `home_of` says."""
    words = [job]
    for link in _chain(error):
        words += _words(link, home)
    return digest(*words)


def digest(*words: str) -> str:
    """The fingerprint of what is known by these words alone."""
    return hashlib.sha256("\n".join(words).encode(errors="backslashreplace")).hexdigest()[:16]


def home_of(function: Callable[..., Any]) -> str:
    """The top-level package in which a job's function was written."""
    return (getattr(function, "__module__", None) or "").partition(".")[0]


def unwrapped(error: BaseException) -> BaseException:
    """The exception that groups of one hold, as nurseries make them."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def type_name(error: BaseException) -> str:
    """The canonical name of an exception's class: `module.Class`, without `builtins`."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and what led to it, as its traceback tells it."""
    seen = set[int]()
    while error is not None and len(seen) < CHAIN and id(error) not in seen:
        seen.add(id(error))
        error = unwrapped(error)
        yield error
        caused = error.__cause__ is not None or error.__suppress_context__
        error = error.__cause__ if caused else error.__context__


def _words(error: BaseException, home: str) -> list[str]:
    words = [type_name(error), *_frames(error.__traceback__, home)]
    if isinstance(error, BaseExceptionGroup):  # its members failed side by side, in no order
        members = map(unwrapped, error.exceptions[:CHAIN])
        words += sorted({" ".join((type_name(one), *_frames(one.__traceback__, home))) for one in members})
    return words


def _frames(trace: TracebackType | None, home: str) -> list[str]:
    """The innermost functions of the application."""
    names: dict[str, None] = {}
    for frame in _ends(trace):
        code = frame.f_code
        module = _module_of_ours(code.co_filename, str(frame.f_globals.get("__name__", "")), home)
        if module is not None:
            names[f"{module}:{code.co_qualname}"] = None
    return list(names)[-FRAMES:]


def _ends(trace: TracebackType | None) -> Iterable[FrameType]:
    outer, inner = list[FrameType](), deque[FrameType](maxlen=WALKED)
    while trace is not None:
        if len(outer) < WALKED:
            outer.append(trace.tb_frame)
        else:
            inner.append(trace.tb_frame)
        trace = trace.tb_next
    return (*outer, *inner)


@lru_cache(maxsize=2048)
def _module_of_ours(file: str, module: str, home: str) -> str | None:
    """The module's name, however the process was started; None where it is not the application's."""
    if file.startswith("<"):
        return None
    root = module.partition(".")[0]
    if root != home and (root == "penstock" or _is_installed(file)):
        return None
    if module != "__main__":
        return module
    spec = sys.modules["__main__"].__spec__  # none where a file was run
    return PurePath(file).stem if spec is None else spec.name


def _is_installed(file: str) -> bool:
    return file.startswith(_STANDARD_LIBRARY) or "site-packages" in file or "dist-packages" in file
