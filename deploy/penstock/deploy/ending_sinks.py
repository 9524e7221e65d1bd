"""Endings handed on by the relay: to the event bus, and as webhooks.

Both know an ending again that they are told twice: the bus by the id of the event, webhooks by the
idempotency key of the job that delivers.
"""

from collections.abc import Sequence

import msgspec

from penstock.engine.bus import Bus, Event, event_of
from penstock.engine.bus.bus import TENANT, USER
from penstock.engine.client import Client
from penstock.engine.ending_payload import of_job_ending
from penstock.engine.job_ending import JobEnding

TOPIC = "penstock.jobs"
"""The topic of jobs' endings; the key is the job's id, so that those of one job keep their order."""


class BusSink:
    """Publishes each ending of an attempt, as `{"type": "job.succeeded", "timestamp": …, "data": {…}}`."""

    name = "bus"

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def take(self, endings: Sequence[JobEnding]) -> None:
        """Publish them; raises `BusUnavailable`, `BusRefused`."""
        await self._bus.publish([_event(ending) for ending in endings])


class WebhookSink:
    """Submits a delivery to one endpoint for each job that has ended for good."""

    def __init__(self, endpoint: str, client: Client) -> None:
        """`endpoint` is a name in the `WebhookSettings` of the workers that deliver."""
        self.name = f"webhook-{endpoint}"
        self._endpoint = endpoint
        self._client = client

    async def take(self, endings: Sequence[JobEnding]) -> None:
        """Submit them; raises what submitting raises."""
        from penstock.engine.webhooks import deliver  # its libraries are an extra

        requests = [
            deliver.using(idempotency_key=f"{self.name}:{ending.id}:{ending.attempt}").request(
                self._endpoint, of_job_ending(ending)
            )
            for ending in endings
            if ending.state.final and ending.module != "webhooks"  # whose own ends nobody asked for
        ]
        if requests:
            await self._client.submit_many(requests)


def _event(ending: JobEnding) -> Event:
    event = event_of(
        TOPIC, of_job_ending(ending), key=ending.id, id=f"{ending.id}:{ending.attempt}", when=ending.ended_at
    )
    # The jobs that handle it are on behalf of whom the job was that it tells of.
    whose = {
        name: value for name, value in ((TENANT, ending.tenant), (USER, ending.user)) if value is not None
    }
    return msgspec.structs.replace(event, headers=whose)
