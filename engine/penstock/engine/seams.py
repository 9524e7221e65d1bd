"""Where telemetry joins in without being imported: observers and two context managers."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from penstock.engine.attempt import Attempt
from penstock.engine.events import Observers
from penstock.engine.request import Request

Headers = Mapping[str, str]
AroundSubmit = Callable[[Sequence[Request]], AbstractContextManager[Headers]]
"""Entered around the submission of requests (at least one) to one queue; gives the headers stored in each."""
AroundAttempt = Callable[[Attempt], AbstractContextManager[object]]
"""Entered in the handler's own task, threads included, and always left; then `attempt.outcome` is set.

It is entered before `JobStarted` and left after `JobFinished` is emitted; it may not swallow exceptions.
"""

_nothing: AbstractContextManager[Headers] = nullcontext({})


def _submit_bare(_requests: Sequence[Request]) -> AbstractContextManager[Headers]:
    return _nothing


def _attempt_bare(_attempt: Attempt) -> AbstractContextManager[object]:
    return _nothing


class Seams:
    """What a client or worker reports to: facts to `observers`, scopes around submissions and attempts."""

    def __init__(
        self,
        observers: Observers | None = None,
        around_submit: AroundSubmit = _submit_bare,
        around_attempt: AroundAttempt = _attempt_bare,
    ) -> None:
        self.observers = observers if observers is not None else Observers()
        self.around_submit = around_submit
        self.around_attempt = around_attempt
