"""The answer to a scrape: fresh facts, bounded time, and a loop that is never held."""

import pytest
import trio
import trio.testing

from penstock.engine.errors import StoreUnavailable
from penstock.engine.store import QueueFacts
from penstock.telemetry.metrics.endpoint import MetricsEndpoint
from penstock.telemetry.metrics.exposition import Format
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.snapshot import Families
from telemetry.strict_exposition import ReadFamily, read

MEDIA = QueueFacts("media", 10_000, 4, 2, 3, 1, 5, 7_500, 9_000, 8_000, slots=40)
MAIL = QueueFacts("mail", 10_000, 0, 0, 0, 0, 0, None, None, 99_000)


class Facts:
    """A store of which only the facts are asked, by one process."""

    def __init__(self, *queues: QueueFacts) -> None:
        self.known = {facts.queue: facts for facts in queues}
        self.asked = 0
        self.down = False
        self.stalled = False

    async def queues(self) -> list[str]:
        self.asked += 1
        if self.down:
            raise StoreUnavailable("no answer")
        if self.stalled:
            await trio.sleep_forever()
        return sorted(self.known)

    async def report(self, queue: str, reporter: str, lease: int) -> QueueFacts | None:
        await trio.lowlevel.checkpoint()
        return self.known[queue]

    async def resign(self, queue: str, reporter: str) -> None:
        await trio.lowlevel.checkpoint()

    async def memory(self, queue: str) -> float:
        await trio.lowlevel.checkpoint()
        return {"media": 0.85}.get(queue, 0.0)


async def scrape(endpoint: MetricsEndpoint) -> dict[str, ReadFamily]:
    body, content_type = await endpoint()
    assert Format.TEXT.value == content_type
    return read(body, openmetrics=False)


async def test_a_scrape_shows_depths_and_ages() -> None:
    """Ages are seconds by the store's clock, 0 where there is nothing or nothing is overdue."""
    found = await scrape(MetricsEndpoint(Metrics(), Facts(MEDIA, MAIL)))

    jobs, oldest = found["penstock_queue_jobs"], found["penstock_queue_oldest_job_age_seconds"]
    assert [
        jobs.value(queue="media", state=state) for state in ("ready", "scheduled", "running", "dead")
    ] == [4, 2, 3, 1]
    assert [oldest.value(queue="media", state=state) for state in ("ready", "running", "scheduled")] == [
        2.5,
        1.0,
        2.0,
    ]
    assert {0} == {s.value for s in oldest.samples if s.labels["queue"] == "mail"}
    assert found["penstock_workers"].value(queue="media") == 5
    assert found["penstock_queue_slots"].value(queue="media") == 40
    assert found["penstock_redis_memory_ratio"].value(queue="media") == 0.85
    assert found["penstock_store_up"].value() == 1


async def test_without_the_store_the_rest_is_still_shown(autojump_clock: trio.testing.MockClock) -> None:
    """The queues' gauges are left out, not left standing, and `penstock_store_up` says why."""
    store = Facts(MEDIA)
    endpoint = MetricsEndpoint(Metrics(), store)
    await scrape(endpoint)
    store.down = True
    autojump_clock.jump(2)
    found = await scrape(endpoint)

    assert found["penstock_queue_jobs"].samples == []
    assert found["penstock_store_up"].value() == 0
    assert "penstock_build_info" in found


async def test_a_store_that_stalls_costs_one_second(autojump_clock: trio.testing.MockClock) -> None:
    """A scrape answers in time even if the store does not."""
    store = Facts(MEDIA)
    store.stalled = True
    found = await scrape(MetricsEndpoint(Metrics(), store))

    assert trio.current_time() == 1.0
    assert found["penstock_store_up"].value() == 0


async def test_what_a_scrape_takes_is_told(autojump_clock: trio.testing.MockClock) -> None:
    """Step by step: the store, other processes, and by the next scrape the rendering, too."""
    metrics = Metrics()

    async def gather() -> Families:
        await trio.sleep(0.25)
        return metrics.registry

    store = Facts(MEDIA)
    store.stalled = True
    endpoint = MetricsEndpoint(metrics, store, gather)
    for steps in ({"store": 1.0, "gather": 0.25}, {"store": 1.0, "gather": 0.25, "render": 0.0}):
        found = (await scrape(endpoint))["penstock_telemetry_scrape_seconds"]
        assert {sample.labels["step"]: sample.value for sample in found.samples} == steps
        await trio.sleep(1)


async def test_many_scrapers_cost_one_look(autojump_clock: trio.testing.MockClock) -> None:
    """Within a second the store is asked once, whoever asks and in whatever format."""
    store = Facts(MEDIA)
    endpoint = MetricsEndpoint(Metrics(), store)
    async with trio.open_nursery() as nursery:
        for accept in ("", "text/plain", "application/openmetrics-text"):
            nursery.start_soon(endpoint, accept)
    assert store.asked == 1
    autojump_clock.jump(1)
    await endpoint()

    assert store.asked == 2


async def test_openmetrics_is_served_to_those_who_ask() -> None:
    """The content type names the format of the body."""
    body, content_type = await MetricsEndpoint(Metrics(), Facts())("application/openmetrics-text")

    assert Format.OPENMETRICS.value == content_type
    assert body.endswith(b"# EOF\n")


async def test_a_big_registry_does_not_hold_the_loop() -> None:
    """While a thousand histograms are written, others run many times."""
    metrics = Metrics()
    for number in range(1_000):
        metrics.jobs.run.labels("media", f"images.job{number}", "images").observe(0.1)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await MetricsEndpoint(metrics, Facts())()
        nursery.cancel_scope.cancel()

    assert turns > 5


async def test_what_others_count_is_copied_in_before_a_scrape() -> None:
    """Threads keep their own counts; the loop reads them when it is asked."""
    metrics = Metrics()
    metrics.before_scrape.append(lambda: metrics.own.dropped.labels("logs", "queue_full").inc(3))
    found = await scrape(MetricsEndpoint(metrics, Facts()))

    assert found["penstock_telemetry_dropped_total"].value(signal="logs", reason="queue_full") == 3


@pytest.mark.parametrize("count", [0, 1_200])
async def test_any_number_of_queues_can_be_shown(count: int) -> None:
    """Past the cap they share a series; the scrape stays readable."""
    queues = [QueueFacts(f"q{n}", 0, 1, 0, 0, 0, 0, None, None, None) for n in range(count)]
    found = await scrape(MetricsEndpoint(Metrics(), Facts(*queues)))

    assert len(found["penstock_queue_jobs"].samples) == min(4 * count, 1_001)
