"""Who handles the events of a topic: a job, submitted for each of them."""

import hashlib
from functools import cached_property
from typing import Any

import msgspec

from penstock.engine.bus.bus import TENANT, USER, Event, check_group, check_topic
from penstock.engine.bus.values import decoder_of
from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.engine.job_definition import JobDefinition
from penstock.engine.limits import MAX_KEY
from penstock.engine.request import Request


class Handler(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Declares that each event of `topic` becomes a call of `job` with the event's value as its argument."""

    name: str
    """Its group: handlers of one name share the events, however many processes they are in."""
    topic: str
    job: JobDefinition[..., Any]
    type: Any
    """What events are decoded into; JSON."""

    def check(self) -> None:
        """Raise `ConfigurationError` for names that no bus takes, or a type that cannot be decoded into."""
        try:
            check_group(self.name)
            check_topic(self.topic)
            _ = self._decoder
        except (InvalidRequest, TypeError) as error:
            raise ConfigurationError(f"the handler {self.name} of {self.topic}: {error}") from error

    def request(self, event: Event) -> Request:
        """The call that `event` stands for, on behalf of whoever it was published for.

        Handled twice, it is one job as long as the job's record is kept.

        Raises `msgspec.DecodeError` and `InvalidArguments` for an event of another shape.
        """
        request = self.job.request(self._decoder.decode(event.data))
        return msgspec.structs.replace(
            request,
            idempotency_key=self._key(event.id),
            tenant=event.headers.get(TENANT),
            user=event.headers.get(USER),
        )

    def _key(self, event_id: str) -> str:
        key = f"event:{self.name}:{event_id}"
        return key if len(key) <= MAX_KEY else hashlib.sha256(key.encode()).hexdigest()

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        return decoder_of(self.type)
