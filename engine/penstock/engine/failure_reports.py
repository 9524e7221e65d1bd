"""Reporting failures: described for the record, then told to observers and to the hooks of the module."""

from typing import Any, cast

from penstock.engine.attempt import Attempt
from penstock.engine.events import AttemptFailed, Observer, Observers
from penstock.engine.failure import describe_failure, describe_wish
from penstock.engine.fingerprint import home_of, unwrapped
from penstock.engine.job import JobError
from penstock.engine.job_definition import JobDefinition
from penstock.engine.outcome import Dead, Outcome, Retry
from penstock.engine.registry import Registry
from penstock.engine.seams import Seams


class FailureReports:
    """Makes the outcomes of failed attempts and, once an attempt has ended, reports them; of one worker.

    In between the exception is the outcome's `__cause__`. It goes with the report: its frames hold what the
    handler had in hand, which is not to live on until the settlement.
    """

    def __init__(self, registry: Registry, seams: Seams) -> None:
        self._seams = seams
        # Each hook is told nothing but its own kind of event.
        self._hooks = {
            module: Observers(*(cast(Observer, hook) for hook in hooks), others=seams.observers)
            for module, hooks in registry.failure_hooks.items()
        }

    def dead(self, attempt: Attempt, definition: JobDefinition[..., Any], error: BaseException) -> Dead:
        """The job ends with this."""
        failure = self._describe(attempt, definition, error)
        outcome = Dead(failure.message, error=failure)
        outcome.__cause__ = error
        return outcome

    def retry(
        self, attempt: Attempt, definition: JobDefinition[..., Any], error: BaseException, delay: float
    ) -> Retry:
        """Another attempt follows; where the handler asked for it, that is no failure."""
        said = unwrapped(error)
        if isinstance(said, Retry):
            wish = describe_wish(said, attempt, redact=self._seams.redact)
            return Retry(wish.message, delay=delay, error=wish)
        failure = self._describe(attempt, definition, error)
        outcome = Retry(failure.message, delay=delay, error=failure)
        outcome.__cause__ = error
        return outcome

    def tell(self, attempt: Attempt, outcome: Outcome) -> None:
        """Report the attempt if it failed."""
        if not isinstance(outcome, Retry | Dead) or outcome.error is None or outcome.__cause__ is None:
            return
        exception, outcome.__cause__ = outcome.__cause__, None
        failed = AttemptFailed(attempt, outcome.error, exception, isinstance(outcome, Dead))
        self._seams.observers.emit(failed)
        if attempt.module in self._hooks:
            self._hooks[attempt.module].emit(failed)

    def _describe(
        self, attempt: Attempt, definition: JobDefinition[..., Any], error: BaseException
    ) -> JobError:
        home = home_of(definition.function)
        return describe_failure(error, attempt, home=home, redact=self._seams.redact)
