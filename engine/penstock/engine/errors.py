"""Everything Penstock raises, sorted by whose fault it is and what the caller may do.

`PenstockError` is the root. Foreign exceptions (Redis, msgspec, sockets) are translated at the
border of the part that calls them, so callers handle this tree and nothing else.
"""


class PenstockError(Exception):
    """The root of every error this library raises on purpose."""


# --- The caller asked for something that cannot be: mend the request --------------------


class InvalidRequest(PenstockError):
    """The request is wrong in itself; sending it again unchanged fails again.

    `field` names the offending part of the request where one part is at fault.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnknownJob(InvalidRequest):
    """No module registered here declares a job of that name."""


class InvalidArguments(InvalidRequest):
    """An argument is missing, unexpected or of the wrong type; `field` names it."""


class PayloadTooLarge(InvalidRequest):
    """Arguments, result or body exceed a documented limit."""


class Conflict(InvalidRequest):
    """The id (or idempotency key) exists already with a different content."""


class JobNotFound(PenstockError):
    """No record of that id: never submitted, or past its retention."""


class ScheduleNotFound(PenstockError):
    """No schedule of that name is known."""


class ConfigurationError(PenstockError):
    """A setting, an `APP` or a declaration in code is wrong; nothing was started."""


class ModuleFailed(PenstockError):
    """A module could not start, or failed while it stopped; its name is in the message."""


# --- The world changed under us: retrying may help ---------------------------------------


class StoreUnavailable(PenstockError):
    """Redis cannot be reached or answers that it cannot serve; nothing is known to have changed.

    Every operation of the store is safe to send again.
    """


class StoreRefused(PenstockError):
    """Redis answered with an error that sending again will not cure (ACL, wrong type, script error)."""


class StoreForbidden(StoreRefused):
    """Redis does not let this user log in or do that. An operator can mend it; nothing is lost meanwhile."""


class StoreFull(StoreRefused):
    """Redis is at its `maxmemory`, or near it: it takes no jobs until there is room; those it has end."""


ENDINGS = "endings waiting for its relays"


class QueueFull(StoreRefused):
    """The queue holds as many waiting jobs as its limit allows; nothing was stored. Later there is room.

    So it does where its relays are behind by as many endings as may wait for them.
    """

    def __init__(self, queue: str, waiting: int, most: int, of: str = "jobs waiting") -> None:
        super().__init__(
            f"queue {queue} has {waiting:,} {of} and takes at most {most:,}; nothing was stored. "
            "Send it again when work has been done."
        )


class NotDurable(StoreUnavailable):
    """Jobs are stored, but not known to be on disk or on as many replicas as was asked.

    Sending them again, with their idempotency keys, waits once more.
    """


class LeaseLost(PenstockError):
    """This worker's lease has ended; whatever it held belongs to somebody else now."""


class JobFailed(PenstockError):
    """Raised to whoever waits for a result when the job ended without one.

    `job` is the final `penstock.engine.job.Job`, error and trace id included.
    """

    def __init__(self, message: str, *, job: object) -> None:
        super().__init__(message)
        self.job = job
