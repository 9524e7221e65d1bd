"""Telling a handler's failure from its cancellation, also where both come in one exception group."""

import trio


def is_failure(error: BaseException) -> bool:
    """Whether a handler failed with it; `sys.exit()` in a handler may not stop the worker either."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_failure, error.exceptions))
    return not isinstance(error, KeyboardInterrupt)


def cancelled_here() -> bool:
    """Whether a scope around this task is cancelled; a `Cancelled` without one is a stray from elsewhere."""
    return trio.current_effective_deadline() <= trio.current_time()


def cancellation_in(error: BaseException) -> BaseException | None:
    """The cancellation that came out of a handler, without failures of the clean-up that came beside it."""
    if isinstance(error, trio.Cancelled):
        return error
    if isinstance(error, BaseExceptionGroup):
        cancelled, rest = error.split(trio.Cancelled)
        if rest is None or is_failure(rest):
            return cancelled
    return None
