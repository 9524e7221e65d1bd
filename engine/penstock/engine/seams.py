"""Where telemetry joins in without being imported: observers and two context managers."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from penstock.engine.attempt import Attempt
from penstock.engine.events import ObserverFailed, Observers
from penstock.engine.operation import Headers, Operation
from penstock.engine.request import Request

AroundSubmit = Callable[[Sequence[Request]], AbstractContextManager[Headers]]
"""Entered around the submission of requests (at least one) to one queue; gives the headers stored in each."""
AroundAttempt = Callable[[Attempt], AbstractContextManager[object]]
"""Entered in the handler's own task, threads included, and always left; then `attempt.outcome` is set.

It is entered before `JobStarted` and left after `JobFinished` is emitted. It cannot swallow exceptions; its
own are reported as `ObserverFailed`.
"""
AroundOperation = Callable[[Operation], AbstractContextManager[Headers]]
"""Entered around something that others are asked to do; gives the headers that hand its trace on to them."""
Redact = Callable[[str], str]
"""Takes secrets out of a text before it is stored; where it raises, nothing of the text is kept."""

_nothing: AbstractContextManager[Headers] = nullcontext({})


def _submit_bare(_requests: Sequence[Request]) -> AbstractContextManager[Headers]:
    return _nothing


def _operation_bare(_operation: Operation) -> AbstractContextManager[Headers]:
    return _nothing


def unchanged(text: str) -> str:
    """The text as it is: nothing in it is secret."""
    return text


class Guarded:
    """The scope around one attempt; if it raises, it is reported and costs nothing but itself."""

    __slots__ = ("_attempt", "_scope", "_seams")

    def __init__(self, seams: "Seams", attempt: Attempt) -> None:
        self._seams = seams
        self._attempt = attempt
        self._scope: AbstractContextManager[object] | None = None

    def __enter__(self) -> None:
        around = self._seams.around_attempt
        if around is None:
            return
        try:
            scope = around(self._attempt)
            scope.__enter__()
        except Exception as error:  # whatever telemetry raises may not stop a job
            self._report(error)
        else:
            self._scope = scope

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._scope is None:
            return
        try:
            self._scope.__exit__(kind, error, trace)
        except Exception as raised:  # as above; what came out of the block goes on by itself
            if raised is not error:
                self._report(raised)

    def _report(self, error: Exception) -> None:
        self._seams.observers.emit(ObserverFailed("around_attempt", error))


class Seams:
    """What a client or worker reports to: facts to `observers`, scopes around submissions and attempts.

    `redact` sees message and traceback of each failure before they are stored.
    """

    def __init__(
        self,
        observers: Observers | None = None,
        around_submit: AroundSubmit = _submit_bare,
        around_attempt: AroundAttempt | None = None,
        redact: Redact = unchanged,
        around_operation: AroundOperation = _operation_bare,
    ) -> None:
        self.observers = observers if observers is not None else Observers()
        self.around_submit = around_submit
        self.around_attempt = around_attempt
        self.redact = redact
        self.around_operation = around_operation
