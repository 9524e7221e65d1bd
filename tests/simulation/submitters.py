"""Who submits and who cancels in the simulated world."""

import random

import trio

from penstock.engine import Client, Registry
from penstock.engine.errors import StoreUnavailable
from penstock.engine.job_definition import JobDefinition
from penstock.engine.names import idempotent_job_id, split_job_id
from penstock.engine.request import Request
from penstock.engine.store import Store
from simulation.work import QUEUE

KINDS = [*["old.work"] * 6, "old.slow", "old.stubborn", "old.deadly", "new.newer"]
MOST_JOBS = 25
TENANTS = [None, None, "acme", "bolt"]


class Submitter:
    """Sends one job after the other; `sent` lists what it has sent, stored or not."""

    def __init__(self, name: str, store: Store, registry: Registry, chance: random.Random) -> None:
        self.sent: list[str] = []
        self._name = name
        self._client = Client(store)
        self._registry = registry
        self._chance = chance

    async def run(self) -> None:
        """Each job is sent until it is acknowledged or the submitter gives up."""
        chance = self._chance
        for number in range(chance.randint(5, MOST_JOBS)):
            request = self._request(number)
            for _ in range(chance.randint(1, 8)):
                try:
                    await self._client.submit_request(request)
                    break
                except StoreUnavailable:
                    await trio.sleep(chance.uniform(0, 4))
            await trio.sleep(chance.choice([0, 0, 0.2, 3]))

    def _request(self, number: int) -> Request:
        """A job by chance; its key makes its id, so that it is the same job each time it is sent."""
        chance, key = self._chance, f"{self._name}-{number}"
        tenant = chance.choice(TENANTS)
        job = self._job().using(
            idempotency_key=key,
            tenant=tenant,
            priority=chance.choice([0, 0, 5]),
            delay=chance.choice([0.0, 0.0, 0.0, chance.uniform(0, 20)]),
        )
        seconds = chance.choice([0.0, chance.expovariate(1), chance.expovariate(0.1)])
        self.sent.append(split_job_id(idempotent_job_id(QUEUE, tenant, key))[1])
        return job.request(number, seconds, chance.choice([0, 0, 0, 1, 2, 9]))

    def _job(self) -> JobDefinition[..., object]:
        definition = self._registry.get(self._chance.choice(KINDS))
        assert definition is not None
        return definition


async def cancel_some(store: Store, submitters: list[Submitter], chance: random.Random) -> None:
    """Every now and then a job is cancelled, wherever it is; until cancelled itself."""
    while True:
        await trio.sleep(chance.expovariate(0.1))
        if sent := [suffix for submitter in submitters for suffix in submitter.sent]:
            try:
                await store.cancel(QUEUE, chance.choice(sent))
            except StoreUnavailable:
                continue
