"""What relays say in the log: the words and the levels for the facts that they tell."""

from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from penstock.engine.relay import EndingsSetAside, SinkFailed, SinkRecovered
from penstock.engine.relay import Tell as TellOfEndings

if TYPE_CHECKING:  # SQLAlchemy is an extra
    from penstock.engine.relay import Fact as EndingFact
    from penstock.engine.sql_outbox import Fact as OutboxFact
    from penstock.engine.sql_outbox import Tell as TellOfOutbox


def log_of_endings(log: FilteringBoundLogger) -> TellOfEndings:
    """Say what happens to endings; of a sink that fails the first time as a warning, and its recovery."""

    def tell(fact: "EndingFact") -> None:
        place = {"sink": fact.sink, "queue": fact.queue}
        match fact:
            case SinkFailed(failures=1):
                log.warning(
                    "sink did not take endings, trying again",
                    error=_said(fact.error),
                    delay=fact.delay,
                    **place,
                )
            case SinkFailed():
                log.debug(
                    "sink did not take endings again",
                    error=_said(fact.error),
                    failures=fact.failures,
                    **place,
                )
            case SinkRecovered():
                log.info("sink takes endings again", failures=fact.failures, **place)
            case EndingsSetAside():
                log.error(
                    "endings set aside, nobody can read them",
                    count=fact.count,
                    example=fact.example,
                    **place,
                )

    return tell


def log_of_outbox(log: FilteringBoundLogger) -> "TellOfOutbox":
    """Say what happens to the rows of an SQL outbox."""
    from penstock.engine.sql_outbox import Recovered, RowsSetAside, Troubled

    def tell(fact: "OutboxFact") -> None:
        match fact:
            case Troubled(failures=1):
                log.warning(
                    "outbox not moved, trying again",
                    what=fact.what,
                    error=_said(fact.error),
                    delay=fact.delay,
                )
            case Troubled():
                log.debug(
                    "outbox not moved again",
                    what=fact.what,
                    error=_said(fact.error),
                    failures=fact.failures,
                )
            case Recovered():
                log.info("outbox moves on", what=fact.what, failures=fact.failures)
            case RowsSetAside():
                log.error(
                    "rows of the outbox set aside, they cannot be moved",
                    count=fact.count,
                    example=fact.example,
                )

    return tell


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
