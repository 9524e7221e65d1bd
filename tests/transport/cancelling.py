"""Cancel an operation at each place where it can wait, one after the other."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any

import anyio


class _Stepped:
    """Awaits a coroutine and rings once, just as it parks for the `step`-th time."""

    def __init__(self, coroutine: Coroutine[Any, Any, object], step: int) -> None:
        self._coroutine = coroutine
        self._step = step
        self.scope = anyio.CancelScope()

    def __await__(self) -> Generator[Any, Any, None]:
        inner = self._coroutine.__await__()
        resume: Callable[[], Any] = lambda: next(inner)  # noqa: E731  (rebound below)
        while True:
            try:
                trap = resume()
            except StopIteration:
                return
            self._step -= 1
            if self._step == 0:
                self.scope.cancel()
            try:
                value = yield trap
            except BaseException as error:
                resume = _bind(inner.throw, error)
            else:
                resume = _bind(inner.send, value)


def _bind(function: Callable[[Any], Any], argument: object) -> Callable[[], Any]:
    return lambda: function(argument)


async def cancelled_at(step: int, coroutine: Coroutine[Any, Any, object]) -> bool:
    """Run it and cancel it at its `step`-th wait; false when it had fewer."""
    stepped = _Stepped(coroutine, step)
    with stepped.scope:
        await stepped
    return stepped.scope.cancel_called
