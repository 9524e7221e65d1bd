"""Messages from several servers as if from one."""

from collections import deque
from collections.abc import Sequence

import anyio

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.transport.subscription import Subscription


class Inboxes:
    """Several subscriptions, one inbox; lost as soon as one of them is lost.

    Messages of one server stay in order.
    """

    def __init__(self, subscriptions: Sequence[Subscription]) -> None:
        self._subscriptions = subscriptions
        self._messages: deque[tuple[bytes, bytes]] = deque()

    async def receive(self) -> tuple[bytes, bytes]:
        """See `Inbox.receive`."""
        if not self._subscriptions:
            await anyio.sleep_forever()
        if len(self._subscriptions) == 1:
            return await self._subscriptions[0].receive()
        while not self._messages:
            await self._listen()
        return self._messages.popleft()

    async def _listen(self) -> None:
        """Wait at all of them until one has a message; cancelled, none has taken one that is not kept."""
        troubles: list[StoreUnavailable | StoreRefused] = []

        async def wait_at(subscription: Subscription) -> None:
            try:
                message = await subscription.receive()
            except (StoreUnavailable, StoreRefused) as error:
                troubles.append(error)
            else:
                self._messages.append(message)
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for subscription in self._subscriptions:
                tasks.start_soon(wait_at, subscription)
        if troubles and not self._messages:
            raise troubles[0]
