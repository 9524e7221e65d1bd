"""Where endings go: a table, a bus, whoever wants to be called."""

from collections.abc import Sequence
from typing import Protocol

from penstock.engine.job_ending import JobEnding


class Sink(Protocol):
    """Takes endings; written by whoever has a use for them.

    What it is handed may come again: after a crash on either side, after an answer that came too late, and
    from another relay that took over. (`id`, `attempt`, `state`) tells whether an ending is known already.
    """

    @property
    def name(self) -> str:
        """Under which the store knows how far it is: 1 to 32 of a-z, 0-9, _ and -; never changed."""
        ...

    async def take(self, endings: Sequence[JobEnding]) -> None:
        """Keep all of these, of one queue, oldest first; when it returns they are not told again.

        Whatever it raises means that none was taken: the same ones come again, later. Queues do not wait for
        each other, so it may be called for several at once. Cancelled when it takes longer than the relay
        waits.
        """
        ...
