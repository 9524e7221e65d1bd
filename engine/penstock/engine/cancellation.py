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


def raise_cancellation(error: BaseException) -> None:
    """Let the cancellation in `error` go on, without failures of the clean-up that came beside it."""
    if isinstance(error, trio.Cancelled):
        raise error
    if isinstance(error, BaseExceptionGroup):
        cancelled, rest = error.split(trio.Cancelled)
        if cancelled is not None and (rest is None or is_failure(rest)):
            raise cancelled from None
