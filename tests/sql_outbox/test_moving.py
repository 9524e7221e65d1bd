"""Rows are moved in order, each once by its id, and what cannot be moved holds nobody up."""

from collections import Counter

import pytest
from sqlalchemy import insert, update

from penstock.engine.errors import QueueFull, StoreRefused, StoreUnavailable
from penstock.engine.events import JobEnqueued
from penstock.engine.names import new_job_id
from penstock.engine.sql_outbox import TABLE, Recovered, RowsSetAside, Troubled
from penstock.engine.sql_outbox.schema import VERSION
from sql_outbox.faulty import FaultyStore
from sql_outbox.rig import Site, ship, write

AWAY = StoreUnavailable("away")


async def test_rows_are_sent_in_the_order_in_which_they_were_written(site: Site) -> None:
    """Batch after batch; then the table is empty, and each was told of as a submission."""
    store = FaultyStore()
    ids = site.ship(*range(25))
    site.relay(store, batch=10)
    await site.moved()

    assert store.sent == ids
    assert site.rows() == []
    assert [event.id for event in site.ears.of(JobEnqueued)] == ids
    assert site.count("sql_outbox_moved", "orders", "submitted") == 25


async def test_relays_at_the_same_time_share_the_rows(site: Site) -> None:
    """Several on one table: each row comes to the broker, and to it as one job."""
    store = FaultyStore()
    relays = [site.relay(store, batch=7) for _ in range(3)]
    ids = [job for order in range(40) for job in site.ship(order)]
    await site.until(lambda: all(relay.ready for relay in relays))
    await site.moved()

    assert set(store.sent) == set(ids)
    assert (await store.facts("orders")).ready == 40
    if site.database.dialect.name == "postgresql":  # there nobody waits, and nobody sees another's rows
        assert Counter(store.sent) == Counter(ids)


async def test_an_answer_that_is_lost_makes_no_second_job(site: Site) -> None:
    """The same ids are sent again, and known."""
    store = FaultyStore()
    store.after["orders"] = AWAY
    ids = site.ship(1, 2)
    site.relay(store)
    await site.until(lambda: len(store.sent) >= 4)
    assert all(row.sent_ms is not None for row in await site.at_rest())  # for who comes after a death
    del store.after["orders"]
    await site.moved()

    assert set(store.sent) == set(ids)
    assert (await store.facts("orders")).ready == 2
    assert site.told[0] == Troubled("orders", AWAY, 1, site.told[0].delay)  # type: ignore[union-attr]
    assert isinstance(site.told[-1], Recovered)


async def test_a_full_queue_keeps_no_other_waiting(site: Site) -> None:
    """Its rows rest in the table, before the others' and behind them; once there is room they go on."""
    store = FaultyStore()
    store.before["orders"] = QueueFull("orders", 9, 9)
    before = site.ship(1, 2)
    with site.database.begin() as connection:
        mail = site.outbox.submit(connection, write, "ann").id
    site.relay(store, batch=2)
    await site.until(lambda: mail not in {row.id for row in site.rows()})
    assert [row.id for row in site.rows()] == before
    del store.before["orders"]
    await site.moved()
    assert (await store.facts("orders")).ready == 2


async def test_what_the_broker_refuses_is_not_taken_for_sent(site: Site) -> None:
    """A refusal says that nothing was stored: however long it lasts, no row comes into doubt by it."""
    store = FaultyStore()
    store.before["orders"] = StoreRefused("no")
    site.ship(1)
    site.relay(store)
    await site.until(lambda: len(store.sent) >= 3)
    assert [row.sent_ms for row in await site.at_rest()] == [None]


async def test_another_job_may_stand_for_one_with_a_unique_key(site: Site) -> None:
    """Then there is no job of its id, and its row is gone all the same."""
    with site.database.begin() as connection:
        first, second = [site.outbox.submit(connection, ship.using(unique_key="k"), 1).id for _ in range(2)]
    site.relay()
    await site.moved()
    assert await site.job(first) is not None
    assert await site.job(second) is None
    assert site.count("sql_outbox_moved", "orders", "duplicate") == 1


async def test_an_idempotency_key_is_one_job_and_another_one_under_it_is_set_aside(site: Site) -> None:
    """The second of two equal ones is known; one that is different is kept, and told of."""
    with site.database.begin() as connection:
        for order in (1, 1, 2):
            site.outbox.submit(connection, ship.using(idempotency_key="k"), order)
    site.relay()
    await site.moved()
    [aside] = site.rows()
    assert "conflict" in aside.reason
    assert (await site.store.facts("orders")).ready == 1
    assert site.count("sql_outbox_set_aside", "conflict") == 1


SPOILT = {
    "args": b"\xc1",
    "headers": "{",
    "queue": "mail",
    "id": "orders.1",
    "job": "rm -rf",
    "priority": 10,
    "tenant": "",
    "due_ms": -5,
    "wait_replicas": 99,
}


@pytest.mark.parametrize("column", SPOILT)
async def test_a_row_that_holds_no_request_is_set_aside_and_holds_nobody_up(site: Site, column: str) -> None:
    """It stays where it is, with the reason; it is counted, told once, and shown by the gauge."""
    bad, good = site.ship(1, 2)
    site.change(update(TABLE).where(TABLE.c.id == bad).values({column: SPOILT[column]}))
    site.relay()
    await site.until(lambda: site.count("sql_outbox_rows", "aside") == 1)
    await site.moved()

    assert await site.job(good) is not None
    [aside] = site.rows()
    assert aside.reason.startswith("malformed: ")
    assert site.count("sql_outbox_set_aside", "malformed") == 1
    [told] = [fact for fact in site.told if isinstance(fact, RowsSetAside)]
    assert (told.count, "malformed" in told.example) == (1, True)


async def test_rows_of_a_newer_version_are_left_to_newer_relays(site: Site) -> None:
    """Neither moved nor set aside, and seen in the gauge."""
    newer, known = site.ship(1, 2)
    site.change(update(TABLE).where(TABLE.c.id == newer).values(version=VERSION + 1))
    site.relay()
    await site.until(lambda: [row.id for row in site.rows()] == [newer])
    await site.until(lambda: site.count("sql_outbox_rows", "newer") == 1)
    assert await site.job(known) is not None


async def test_what_waits_is_told(site: Site) -> None:
    """How many rows, and the age of the oldest."""
    store = FaultyStore()
    store.before["orders"] = AWAY
    site.ship(1, 2, 3)
    site.change(update(TABLE).values(submitted_ms=TABLE.c.submitted_ms - 60_000))
    site.relay(store)
    await site.until(lambda: site.count("sql_outbox_rows", "waiting") == 3)
    assert 60 <= site.count("sql_outbox_lag_seconds") < 600
    store.before.clear()
    await site.until(lambda: site.count("sql_outbox_rows", "waiting") == 0)
    assert site.count("sql_outbox_lag_seconds") == 0


async def test_a_relay_that_drains_finishes_its_batch(site: Site) -> None:
    """Nothing is left taken, for which others would have to wait."""
    ids = site.ship(*range(5))
    relay = site.relay(batch=2)
    await site.until(lambda: len(site.rows()) < 5)
    relay.drain()
    await relay.ended.wait()
    assert not relay.ready
    left = site.rows()
    assert all(row.taken_by is None for row in left)
    moved = [job for job in ids if await site.job(job) is not None]
    assert len(moved) == 5 - len(left)


async def test_a_row_that_nobody_should_write_by_hand_is_moved_if_it_is_right(site: Site) -> None:
    """The columns are an interface: other languages may write them."""
    row = {"version": 1, "id": new_job_id("orders"), "queue": "orders", "job": "shop.ship"}
    row |= {"args": b"\x81\xa5order\x07", "headers": "{}", "priority": 0, "submitted_ms": 0}
    site.change(insert(TABLE).values(**row, durable=False, wait_replicas=0))
    site.relay()
    await site.moved()
    job = await site.job(str(row["id"]))
    assert job is not None
    assert job.args == {"order": 7}
