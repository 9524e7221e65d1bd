"""What an event is, and what every bus does: the protocol that all backends pass one suite for."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

import msgspec

from penstock.engine.errors import InvalidRequest, PayloadTooLarge
from penstock.engine.limits import MAX_ARGUMENTS, MAX_KEY
from penstock.engine.names import check_text

MAX_HEADERS = 8 * 1024
"""Bytes of all headers of an event: trace context and a little of one's own, as a request line may have."""
TENANT, USER = "penstock-tenant", "penstock-user"
"""Headers that say on whose behalf an event was published; the jobs that handle it are theirs."""
BATCH = 100
"""Events that one `receive` gives at most."""
Begin = Literal["oldest", "newest"]
"""Where a group begins that nobody has read for yet: with what is kept, or with what comes from now on."""

_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")  # Kafka's rule (249 characters), a little narrower


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, told to whoever listens."""

    topic: str
    id: str
    """The same for every sending of the same event: by it whoever receives knows it again."""
    data: bytes
    headers: Mapping[str, str] = {}
    """Trace context, and whatever the publisher adds. In lower case."""
    key: str | None = None
    """Events of one key keep their order, as far as the backend says."""
    time: float = 0.0
    """When it happened: seconds since the epoch."""


class Received(msgspec.Struct, frozen=True):
    """An event as it stands in its backend, which knows it by `place`."""

    event: Event
    place: object


class Subscription(Protocol):
    """What one member of a group hears. One task at a time receives; any may commit."""

    async def receive(self) -> Sequence[Received]:
        """Wait for the next events, at least one and at most `BATCH`.

        Cancellation loses none. While the backend is away it waits and goes on; raises `BusRefused` where
        waiting is in vain.
        """
        ...

    async def commit(self, received: Sequence[Received]) -> None:
        """Do not give these to the group again; what is not committed comes again after this member's end.

        Commit in the order of receiving: some backends take what came before for committed too. Events that
        have become another member's are passed over. Raises `BusUnavailable` (send it again), `BusRefused`.
        """
        ...

    async def lag(self) -> Mapping[str, int]:
        """This member's share of the events that its group has not committed, by topic.

        The shares of all members add up to the group's lag. Raises `BusUnavailable`, `BusRefused`.
        """
        ...


class Bus(Protocol):
    """Events by topic: each group of subscribers gets all of them, each member of a group a part."""

    @property
    def system(self) -> str:
        """Its name as `messaging.system` has it: `kafka`, `redis`, or `penstock` for the one in memory."""
        ...

    async def publish(self, events: Sequence[Event]) -> None:
        """Return when all of them are stored; safe to call again with the same ids.

        Waits while the backend is away, for a bounded time, and while too much is on its way.

        Raises:
            InvalidRequest, PayloadTooLarge: an event cannot be; nothing was sent.
            BusUnavailable: some of them may be stored.
            BusRefused: some of them may be stored, and sending the rest again will not help.
        """
        ...

    def subscribe(self, group: str, topics: Sequence[str]) -> AbstractAsyncContextManager[Subscription]:
        """Be a member of `group` until the end of the block; raises `InvalidRequest` for a name."""
        ...


def check_topic(topic: str) -> str:
    """Return `topic` if it is a legal name; raise `InvalidRequest` otherwise."""
    return _checked("topic", topic)


def check_group(group: str) -> str:
    """Return `group` if it is a legal name; raise `InvalidRequest` otherwise."""
    return _checked("group", group)


def check_event(event: Event) -> None:
    """Raise `InvalidRequest` or `PayloadTooLarge` unless every backend can carry `event`."""
    check_topic(event.topic)
    check_text("id", event.id, MAX_KEY)
    if event.key is not None:
        check_text("key", event.key, MAX_KEY)
    if len(event.data) > MAX_ARGUMENTS:
        raise PayloadTooLarge(
            f"event {event.id} has {len(event.data):,} bytes: at most {MAX_ARGUMENTS:,}", field="data"
        )
    if sum(len(name) + len(value) for name, value in event.headers.items()) > MAX_HEADERS:
        raise PayloadTooLarge(f"event {event.id} has more than {MAX_HEADERS:,} of headers", field="headers")


def _checked(field: str, name: str) -> str:
    if _TOPIC.fullmatch(name) is None:
        raise InvalidRequest(
            f"{name[:200]!r} cannot name a {field}: expected 1 to 200 of letters, digits, ., _ and -, "
            "starting with a letter or digit",
            field=field,
        )
    return name
