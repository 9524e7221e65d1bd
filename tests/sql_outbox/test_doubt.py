"""After a death: rows come again in time, and none is sent of which nobody can tell whether it ran."""

import time

import msgspec
import trio
from sqlalchemy import update

from penstock.engine.errors import StoreUnavailable
from penstock.engine.memory_store import MemoryStore
from penstock.engine.record import Body, encode_body
from penstock.engine.sql_outbox import TABLE, OutboxRelay
from penstock.engine.sql_outbox.batch import Batch
from penstock.engine.store import NewJob
from sql_outbox.faulty import FaultyStore
from sql_outbox.rig import Site, ship, shop, write

HOUR = 3_600_000


def kept_for(job: str) -> float:
    """As the application declares it."""
    return shop.jobs[job].policy.result_ttl


def stored(job_id: str) -> NewJob:
    """The job as an earlier sending has stored it."""
    return NewJob(job_id.partition(".")[2], encode_body(Body(ship.name, msgspec.Raw(b"\x81\xa5order\x01"))))


def sent(site: Site, ago: int) -> None:
    """Somebody took all rows so many milliseconds ago, and died."""
    now = TABLE.c.submitted_ms - ago
    site.change(update(TABLE).values(taken_by="dead", taken_ms=now, sent_ms=now))


async def test_what_a_dead_relay_had_taken_comes_again_after_its_silence(site: Site) -> None:
    """Not before: it may be about to send it."""
    [early] = site.ship(1)
    sent(site, 10_000)
    [late] = site.ship(2)
    site.change(update(TABLE).where(TABLE.c.id == late).values(taken_by="dead", taken_ms=0, sent_ms=None))
    site.relay(silence=30.0)
    await site.until(lambda: [row.id for row in site.rows()] == [early])
    assert await site.job(late) is not None
    assert await site.job(early) is None


async def test_a_row_sent_within_the_time_records_are_kept_is_sent_again(site: Site) -> None:
    """The broker knows it or has never had it; either way it is one job."""
    known, lost = site.ship(1, 2)
    await site.store.submit("orders", [stored(known)])
    sent(site, 20 * HOUR)
    site.relay(kept_for=kept_for)
    await site.moved()
    assert site.rows() == []
    assert (await site.store.facts("orders")).ready == 2
    assert await site.store.read("orders", lost.partition(".")[2]) is not None


async def test_one_sent_longer_ago_is_moved_only_where_a_record_tells(site: Site) -> None:
    """Else it is in doubt: set aside, not run twice; jobs whose records are kept for less come into doubt
    earlier."""
    known, lost = site.ship(1, 2)
    await site.store.submit("orders", [stored(known)])
    sent(site, 25 * HOUR)
    site.relay(kept_for=kept_for)
    await site.moved()

    [row] = site.rows()
    assert row.id == lost
    assert row.reason.startswith("in_doubt: it was sent 90")
    assert (await site.store.facts("orders")).ready == 1
    assert site.count("sql_outbox_set_aside", "in_doubt") == 1


async def test_how_long_is_what_the_job_declares(site: Site) -> None:
    """Records of `write` are kept for an hour."""
    with site.database.begin() as connection:
        site.outbox.submit(connection, write, "ann")
    sent(site, 2 * HOUR)
    site.relay(kept_for=kept_for)
    await site.moved()
    assert site.rows()[0].reason.startswith("in_doubt")


async def test_while_nobody_can_be_asked_nothing_comes_into_doubt(site: Site) -> None:
    """An old row waits for a broker that is away, as all rows do."""
    store = FaultyStore()
    store.before["orders"] = StoreUnavailable("away")
    site.ship(1)
    sent(site, 25 * HOUR)
    site.relay(store)
    await site.until(lambda: len(site.told) >= 2)
    assert [row.aside_ms for row in await site.at_rest()] == [None]
    assert store.sent == []


async def test_a_relay_that_stood_still_sends_nothing_that_others_may_have_moved(site: Site) -> None:
    """What it took longer ago than the silence it gives back unsent; what it took just before, it sends."""
    store = FaultyStore()
    site.ship(1)
    mover = OutboxRelay(site.settings, store)._mover
    [row] = site.rows()
    for seconds, unsent in ((31, [row.seq]), (29, [])):
        batch = Batch()
        await mover._send([row], time.time_ns() // 1_000_000 - seconds * 1000, batch)
        assert batch.finish().unsent == unsent
        assert len(store.sent) == 1 - len(unsent)


async def test_a_broker_that_hangs_is_given_up_in_time(site: Site) -> None:
    """A third of the silence: what is sent later than that others might send too."""
    store = FaultyStore()
    store.stuck = trio.Event()
    [job] = site.ship(1)
    site.relay(store, silence=1.0)
    await site.until(lambda: len(store.sent) >= 2)
    store.stuck.set()
    await site.moved()
    assert set(store.sent) == {job}
    assert (await MemoryStore.facts(store, "orders")).ready == 1
