"""The cancel scope around one consumer's handlers: entered once for several jobs, not for each."""

import math
from types import TracebackType
from typing import Self

import trio

from penstock.engine.held import Held

GRAIN = 1 / 128
"""Part of a timeout by which a handler may run longer: so jobs that follow each other share a deadline.

Entering and leaving a scope with a deadline takes 9 µs, moving its deadline 2.5, comparing two 0.3.
"""


class HandlerScope:
    """Surrounds the handlers that a consumer runs without waiting in between; leaving it ends the scope.

    Between two handlers the last one's deadline is still there: whoever waits then must have left.
    """

    __slots__ = ("_deadline", "_scope")

    def __init__(self) -> None:
        self._scope: trio.CancelScope | None = None
        self._deadline = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()  # what this scope cancelled, `absorb` has seen

    def begin(self, held: Held, timeout: float) -> None:
        """Bound the handler called next: cancelled `timeout` seconds after `held.began`, or shortly later."""
        grain = timeout * GRAIN
        # Rounded up; a handler without a bound has no grain either.
        deadline = -(-(held.began + timeout) // grain) * grain if timeout < math.inf else timeout
        if self._scope is None or held.began >= self._deadline:
            self._close()
            self._scope = trio.CancelScope(deadline=deadline)
            self._scope.__enter__()
            self._deadline = deadline
        elif deadline != self._deadline:
            self._deadline = self._scope.deadline = deadline
        held.scope = self._scope

    def end(self, held: Held) -> None:
        """The handler has returned or raised."""
        held.scope = None
        if held.reason is not None:  # somebody has cancelled the scope
            self._close()

    def absorb(self, cancellation: BaseException) -> bool:
        """Whether what came out of the handler is this scope's own; then it ends here, and the scope too.

        Raises what is left where only a part of it is.
        """
        scope, self._scope = self._scope, None
        return scope is not None and scope.__exit__(
            type(cancellation), cancellation, cancellation.__traceback__
        )

    def _close(self) -> None:
        scope, self._scope = self._scope, None
        if scope is not None:
            scope.__exit__(None, None, None)
