"""What a handler is given beside its arguments."""

from typing import Any

import msgspec

from penstock.engine.errors import ConfigurationError
from penstock.engine.job_cache import JobCache
from penstock.engine.resources import Resources

SCHEDULE, MOMENT = "penstock-schedule", "penstock-moment"
"""Headers of a job that was fired: by which schedule, for which moment (milliseconds since the epoch)."""


class EventPublisher:
    """What carries events to those who listen; provided to jobs, and behind `JobContext.publish`."""

    async def publish(
        self,
        topic: str,
        value: Any,
        *,
        key: str | None = None,
        id: str | None = None,  # noqa: A002 - as an event has it
        tenant: str | None = None,
        user: str | None = None,
    ) -> str:
        """Publish `value` as JSON; the id of the event once it is stored."""
        raise NotImplementedError


class JobContext(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt that is running, read-only."""

    __penstock_context__ = True

    id: str
    job: str
    module: str
    queue: str
    attempt: int
    """1 for the first."""
    max_attempts: int
    tenant: str | None
    user: str | None
    worker: str
    headers: dict[str, str]
    """Trace context as it was submitted; opaque to the engine."""
    submitted_at: float
    """Seconds since the epoch, the store's clock."""
    resources: Resources = msgspec.field(default_factory=Resources)
    """What its worker has, in which `cache` and `publish` look when they are used."""
    published: int = 0
    """Events that this attempt has published."""

    @property
    def scheduled_for(self) -> float | None:
        """The moment that a schedule fired this job for, seconds since the epoch; None for other jobs.

        Not when it was fired: that is `submitted_at`, later where workers were missing.
        """
        moment = self.headers.get(MOMENT)
        return None if moment is None else int(moment) / 1000

    @property
    def cache(self) -> JobCache:
        """The cache of this job's module, as `cache: Cache = PROVIDED` gives it (docs/cache.md).

        Raises `ConfigurationError`: this worker has none.
        """
        cache = self.resources.find(JobCache, self.module)
        if cache is None:
            raise ConfigurationError(
                f"{self.job} uses ctx.cache, but its worker was given no cache: `penstock worker` has one, "
                "others take Worker(…, provided={Cache: Cache(store)}), in tests with a MemoryCacheStore"
            )
        return cache

    async def publish(self, topic: str, value: Any, *, key: str | None = None) -> str:
        """Publish an event, anything that msgspec writes as JSON; its id, once it is stored.

        The n-th event of a job has the same id in each of its attempts, so that whoever handles events
        (`Module.on`) takes it once, however often the job is run. Events of one `key` keep their order.

        Raises:
            ConfigurationError: this worker has no bus.
            InvalidRequest, PayloadTooLarge: it cannot be an event.
            BusUnavailable, BusRefused: it may not be stored; let the job fail and be tried again.
        """
        publisher = self.resources.find(EventPublisher, self.module)
        if publisher is None:
            raise ConfigurationError(f"{self.job} publishes an event, but its worker was given no bus")
        number = self.published + 1
        msgspec.structs.force_setattr(self, "published", number)  # read-only to everybody else
        return await publisher.publish(
            topic, value, key=key, id=f"{self.id}:{number}", tenant=self.tenant, user=self.user
        )
