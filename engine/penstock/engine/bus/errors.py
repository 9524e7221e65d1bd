"""What goes wrong with a bus, whichever backend it stands on."""

from collections.abc import Generator
from contextlib import contextmanager

from penstock.engine.bus.metrics import ERRORS
from penstock.engine.errors import PenstockError, StoreRefused, StoreUnavailable


class BusUnavailable(PenstockError):
    """The backend did not answer in time; what was sent may have arrived. Send it again."""


class BusRefused(PenstockError):
    """The backend answered that it will not do this: sending it again unchanged will not help."""


class UnknownTopic(BusRefused):
    """The backend has no such topic and does not make one by itself."""


@contextmanager
def translated() -> Generator[None]:
    """Raise what Redis says as what a bus says, and count it."""
    try:
        yield
    except StoreUnavailable as error:
        count_error("redis", error)
        raise BusUnavailable(str(error)) from error
    except StoreRefused as error:
        count_error("redis", error)
        raise BusRefused(str(error)) from error


def count_error(backend: str, error: BaseException) -> None:
    """Count a failure under the name of its class, of which there are few."""
    ERRORS.inc(backend=backend, error_type=type(error).__name__)
