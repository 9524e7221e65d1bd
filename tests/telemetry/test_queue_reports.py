"""Several processes, one store: each queue is told about by one of them, whoever comes, goes or dies."""

import pytest
import trio
from trio.testing import MockClock

from penstock.engine.errors import StoreUnavailable
from penstock.engine.memory_store import MemoryStore
from penstock.engine.store import QueueFacts
from penstock.telemetry.metrics.endpoint import MetricsEndpoint
from penstock.telemetry.metrics.families import Metrics
from support.stores import new_job
from support.work import virtual_clock
from telemetry.strict_exposition import ReadFamily, read

GAUGES = (
    "penstock_queue_jobs",
    "penstock_queue_oldest_job_age_seconds",
    "penstock_workers",
    "penstock_queue_slots",
    "penstock_redis_memory_ratio",
)


class Shaky(MemoryStore):
    """A store that answers late or not at all, queue by queue, when it is told to."""

    def __init__(self) -> None:
        super().__init__(virtual_clock)
        self.silent: set[str] = set()
        self.away = False
        self.under_way = self.most_under_way = 0

    async def report(self, queue: str, reporter: str, lease: int) -> QueueFacts | None:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if queue in self.silent:
                await trio.sleep_forever()
            if self.away:
                raise StoreUnavailable("away")
            await trio.sleep(0.01)  # there and back
            return await super().report(queue, reporter, lease)
        finally:
            self.under_way -= 1

    async def resign(self, queue: str, reporter: str) -> None:
        if queue in self.silent:
            await trio.sleep_forever()
        await super().resign(queue, reporter)


@pytest.fixture
async def store() -> Shaky:
    """Two queues; `media` has two jobs and a worker with four slots."""
    store = Shaky()
    await store.submit("media", [new_job("a"), new_job("b")])
    await store.submit("mail", [new_job("c")])
    await store.join("media", "w", 3_600_000, 4)
    return store


class Process:
    """One process as its scraper sees it."""

    def __init__(self, store: Shaky) -> None:
        self.endpoint = MetricsEndpoint(Metrics(), store)

    async def scrape(self) -> dict[str, ReadFamily]:
        """All that it shows."""
        body, _ = await self.endpoint()
        return read(body, openmetrics=False)

    async def shows(self) -> list[str]:
        """The queues it tells about; the five gauges agree on them."""
        found = await self.scrape()
        queues = [sorted({sample.labels["queue"] for sample in found[name].samples}) for name in GAUGES]
        assert queues == [queues[0]] * len(GAUGES)
        return queues[0]


async def scrape_all(*processes: Process, interval: float = 15.0) -> list[list[str]]:
    """What each shows when it is its turn; the next round is due an interval later."""
    shown = [await process.shows() for process in processes]
    await trio.sleep(interval)
    return shown


async def test_one_of_several_processes_tells(autojump_clock: MockClock, store: Shaky) -> None:
    """A sum over all processes is what the store says, at every scrape; all say that it is up."""
    processes = [Process(store) for _ in range(3)]
    for _ in range(10):
        found = [await process.scrape() for process in processes]
        assert sum(len(one["penstock_workers"].samples) for one in found) == 2
        assert sum(s.value for one in found for s in one["penstock_queue_jobs"].samples if s.value) == 2 + 1
        assert sum(s.value for one in found for s in one["penstock_queue_slots"].samples) == 4
        assert [one["penstock_store_up"].value() for one in found] == [1, 1, 1]
        await trio.sleep(15)


async def test_it_is_always_the_same_one(autojump_clock: MockClock, store: Shaky) -> None:
    """Whoever has the role keeps it while it is scraped: series that move about could not be drawn."""
    one, two = Process(store), Process(store)
    for _ in range(10):
        assert await scrape_all(one, two) == [["mail", "media"], []]


async def test_one_that_resigns_is_followed_at_the_next_scrape(
    autojump_clock: MockClock, store: Shaky
) -> None:
    """And does not take the role back while it goes on being scraped."""
    one, two = Process(store), Process(store)
    await scrape_all(one, two)
    await one.endpoint.resign()
    assert await scrape_all(one, two) == [[], ["mail", "media"]]
    assert await scrape_all(one, two) == [[], ["mail", "media"]]


async def test_nothing_is_shown_from_a_moment_before_it_resigned(
    autojump_clock: MockClock, store: Shaky
) -> None:
    """An answer that is kept for other scrapers is kept no longer."""
    one, two = Process(store), Process(store)
    assert await one.shows() == ["mail", "media"]
    await one.endpoint.resign()
    assert (await two.shows(), await one.shows()) == (["mail", "media"], [])


async def test_one_that_dies_is_followed_when_its_lease_is_over(
    autojump_clock: MockClock, store: Shaky
) -> None:
    """Which is after two and a half intervals: at the third scrape it misses."""
    one, two = Process(store), Process(store)
    for _ in range(3):
        await scrape_all(one, two)
    found = [await scrape_all(two) for _ in range(4)]  # the other one has died
    assert found == [[[]], [[]], [["mail", "media"]], [["mail", "media"]]]


async def test_one_that_dies_after_its_first_scrape_is_followed_after_a_minute(
    autojump_clock: MockClock, store: Shaky
) -> None:
    """As long as nobody knows how often it would have been scraped."""
    one, two = Process(store), Process(store)
    await one.shows()
    for _ in range(3):
        await trio.sleep(19)
        assert await two.shows() == []
    await trio.sleep(4)
    assert await two.shows() == ["mail", "media"]


@pytest.mark.parametrize(("interval", "lease"), [(1.5, 5.0), (4.0, 10.0), (60.0, 150.0), (3_600.0, 300.0)])
async def test_the_lease_follows_the_interval(
    autojump_clock: MockClock, store: Shaky, interval: float, lease: float
) -> None:
    """Two and a half times as long, five seconds at least and five minutes at most."""
    one, two = Process(store), Process(store)
    for _ in range(4):
        await scrape_all(one, interval=interval)
    await one.shows()
    await trio.sleep(lease - 0.1)
    assert await two.shows() == []
    await trio.sleep(1)  # as long as an answer is kept
    assert await two.shows() == ["mail", "media"]


async def test_two_scrapers_out_of_step_do_not_cost_it_the_role(
    autojump_clock: MockClock, store: Shaky
) -> None:
    """They come 2 and 28 seconds after each other: the longer wait is what it has to last for."""
    one, two = Process(store), Process(store)
    await scrape_all(one, two, interval=28)
    for _ in range(6):
        for interval in (2, 28):
            assert await scrape_all(two, one, interval=interval) == [[], ["mail", "media"]]


async def test_a_queue_that_does_not_answer_holds_up_no_other(
    autojump_clock: MockClock, store: Shaky
) -> None:
    """It is left out, the scrape answers in time, and says that the store did not."""
    store.silent.add("media")
    one = Process(store)
    began = trio.current_time()
    found = await one.scrape()
    assert trio.current_time() - began == pytest.approx(1.0)
    assert {sample.labels["queue"] for sample in found["penstock_workers"].samples} == {"mail"}
    assert found["penstock_store_up"].value() == 0
    assert found["penstock_telemetry_scrape_seconds"].value(step="store") == pytest.approx(1.0)


async def test_a_store_that_fails_queue_by_queue_is_down(autojump_clock: MockClock, store: Shaky) -> None:
    """The list of queues may come from another server than their facts."""
    store.away = True
    found = await Process(store).scrape()
    assert found["penstock_workers"].samples == []
    assert found["penstock_store_up"].value() == 0


async def test_many_queues_are_asked_together_but_not_all_at_once(
    autojump_clock: MockClock, store: Shaky
) -> None:
    """A hundred ways there and back take the time of a few."""
    for number in range(100):
        await store.submit(f"q{number}", [new_job("a")])
    began = trio.current_time()
    assert len(await Process(store).shows()) == 102
    assert trio.current_time() - began == pytest.approx(0.26)  # 102 of a hundredth each, four at a time
    assert store.most_under_way == 4


async def test_resigning_delays_nobodys_end(autojump_clock: MockClock, store: Shaky) -> None:
    """Half a second at most, and no error, while the store does not answer; others get the role later."""
    one, two = Process(store), Process(store)
    await one.shows()
    store.silent |= {"mail", "media"}
    began = trio.current_time()
    await one.endpoint.resign()
    assert trio.current_time() - began == pytest.approx(0.5)
    store.silent.clear()
    assert await two.shows() == []
    await trio.sleep(60)
    assert await two.shows() == ["mail", "media"]


async def test_a_role_whose_answer_was_lost_is_given_up_too(autojump_clock: MockClock, store: Shaky) -> None:
    """It was taken all the same; the process cannot know, so it resigns to be sure."""
    one, two = Process(store), Process(store)

    async def lose_the_answer(queue: str, reporter: str, lease: int) -> QueueFacts | None:
        await MemoryStore.report(store, queue, reporter, lease)
        raise StoreUnavailable("on the way back")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "report", lose_the_answer)
        assert await one.shows() == []
    assert await two.shows() == []
    await one.endpoint.resign()
    await trio.sleep(1)
    assert await two.shows() == ["mail", "media"]


async def test_a_process_that_is_never_scraped_has_nothing_to_give_up(
    autojump_clock: MockClock, store: Shaky
) -> None:
    """Its end asks nothing of the store."""
    store.silent |= {"mail", "media"}
    began = trio.current_time()
    await Process(store).endpoint.resign()
    assert trio.current_time() == began
