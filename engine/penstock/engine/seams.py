"""Where telemetry joins in without being imported: observers and two context managers."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

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

    def enter(self, attempt: Attempt) -> AbstractContextManager[object] | None:
        """Enter the scope around an attempt, to be handed to `leave`; None where there is none.

        What it raises is reported, and costs nothing but the scope: telemetry may not stop a job.
        """
        if self.around_attempt is None:
            return None
        try:
            scope = self.around_attempt(attempt)
            scope.__enter__()
        except Exception as error:
            self._report(error)
            return None
        return scope

    def leave(self, scope: AbstractContextManager[object] | None, error: BaseException | None) -> None:
        """Leave what `enter` gave, with what came out of the attempt, which goes on by itself."""
        if scope is None:
            return
        try:
            if error is None:
                scope.__exit__(None, None, None)
            else:
                scope.__exit__(type(error), error, error.__traceback__)
        except Exception as raised:
            if raised is not error:
                self._report(raised)

    def _report(self, error: Exception) -> None:
        self.observers.emit(ObserverFailed("around_attempt", error))
