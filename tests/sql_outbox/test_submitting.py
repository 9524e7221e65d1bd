"""A job is submitted by a row in the application's own transaction, and by nothing else."""

import math
import time
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from penstock.engine.errors import InvalidArguments, InvalidRequest
from penstock.engine.names import idempotent_job_id, split_job_id
from penstock.engine.sql_outbox import METADATA, TABLE, SqlOutbox
from sql_outbox.rig import Site, ship, write

ORDERS = Table("orders", MetaData(), Column("number", Integer, primary_key=True))


async def test_a_job_is_there_if_and_only_if_its_transaction_commits(site: Site) -> None:
    """Together with what else the transaction writes; a rollback leaves neither."""
    ORDERS.create(site.database)
    with Session(site.database) as session, session.begin():
        session.execute(insert(ORDERS).values(number=1))
        receipt = site.outbox.submit(session, ship, 1, express=True)
    with Session(site.database) as session:
        session.execute(insert(ORDERS).values(number=2))
        lost = site.outbox.submit(session, ship, 2)
        session.rollback()
    with Session(site.database) as session, session.begin():
        site.outbox.submit(session, ship, 3)
        with session.begin_nested() as savepoint:
            site.outbox.submit(session, ship, 4)
            savepoint.rollback()
    site.relay()
    await site.moved()

    job = await site.job(receipt.id)
    assert job is not None
    assert (job.args, job.queue, job.priority) == ({"order": 1, "express": True}, "orders", 3)
    assert await site.job(lost.id) is None
    assert (await site.store.facts("orders")).ready == 2
    with site.database.connect() as connection:
        assert connection.scalars(select(ORDERS.c.number)).all() == [1]


async def test_what_is_wrong_is_said_before_anything_is_written(site: Site) -> None:
    """Arguments by the signature, options by their ranges, as when submitting to the broker."""
    with site.database.begin() as connection:
        with pytest.raises(InvalidArguments, match="order"):
            site.outbox.submit(connection, ship, "seven")  # type: ignore[arg-type]
        with pytest.raises(InvalidArguments):
            site.outbox.submit(connection, ship)  # type: ignore[call-arg]
        with pytest.raises(InvalidRequest, match="priority"):
            site.outbox.submit(connection, ship.using(priority=99), 1)
    assert site.rows() == []


def test_what_is_no_connection_is_refused(database: Engine) -> None:
    """An engine, say: whose transaction would it be?"""
    wrong: Any = database
    with pytest.raises(TypeError, match="Engine is no Connection or Session"):
        SqlOutbox().submit(wrong, ship, 1)


async def test_every_option_reaches_the_broker(site: Site) -> None:
    """Tenant, user, priority, another queue, a unique key, times: counted from the submission."""
    began = time.time()
    with site.database.begin() as connection:
        plain = site.outbox.submit(
            connection, ship.using(tenant="acme", user="ann", priority=7, queue="rush", unique_key="k"), 1
        )
        delayed = site.outbox.submit(connection, ship.using(delay=60, expires_in=90), 2)
        dated = site.outbox.submit(connection, ship.using(run_at=began + 600), 3)
        keyed = site.outbox.submit(connection, write.using(idempotency_key="k1", tenant="acme"), "ann@acme")
    site.relay()
    await site.moved()

    job = await site.job(plain.id)
    assert job is not None
    assert (job.tenant, job.user, job.priority, job.queue) == ("acme", "ann", 7, "rush")
    for receipt, seconds in ((delayed, 60), (dated, 600)):
        waiting = await site.job(receipt.id)
        assert waiting is not None
        assert waiting.state == "scheduled"
        assert began + seconds - 0.01 <= waiting.due_at <= time.time() + seconds
    record = await site.store.read(*split_job_id(delayed.id))
    assert record is not None
    assert keyed.id == idempotent_job_id("mail", "acme", "k1")
    assert await site.job(keyed.id) is not None


async def test_a_job_expires_so_long_after_its_submission_however_late_it_is_moved(site: Site) -> None:
    """The time in the outbox counts; one whose time is up is moved and expires as jobs do."""
    from penstock.engine.record import decode_body

    with site.database.begin() as connection:
        late = site.outbox.submit(connection, ship.using(expires_in=100), 1)
        over = site.outbox.submit(connection, ship.using(expires_in=100), 2)
    for receipt, seconds in ((late, 40), (over, 1000)):
        earlier = {"expires_ms": TABLE.c.expires_ms - seconds * 1000}
        site.change(TABLE.update().where(TABLE.c.id == receipt.id).values(earlier))
    site.relay()
    await site.moved()

    records = [await site.store.read(*split_job_id(receipt.id)) for receipt in (late, over)]
    left = [decode_body(record.body).expires_in for record in records if record is not None]
    assert 0 < left[0] <= 60_000
    assert left[1] == math.ceil(0.001 * 1000)


async def test_many_are_written_at_once_and_keep_their_order(site: Site) -> None:
    """Receipts in the order of the requests, jobs of a queue in the same."""
    requests = [ship.request(1), write.request("ann"), ship.request(2), write.request("bob")]
    with site.database.begin() as connection:
        receipts = site.outbox.submit_many(connection, requests)
        assert site.outbox.submit_many(connection, []) == []
    assert [(receipt.job, receipt.queue) for receipt in receipts] == [
        (request.job, request.queue) for request in requests
    ]
    assert [row.id for row in site.rows() if row.queue == "orders"] == [receipts[0].id, receipts[2].id]


def test_without_the_table_the_database_says_so_in_its_own_words(database_bare: Engine) -> None:
    """The transaction is the application's: what it raises is what its handlers know."""
    with database_bare.connect() as connection, pytest.raises((OperationalError, ProgrammingError)):
        SqlOutbox().submit(connection, ship, 1)


def test_the_table_can_be_made_by_an_applications_own_migrations(database_bare: Engine) -> None:
    """`METADATA` stands beside the application's own; making it twice does no harm."""
    with database_bare.begin() as connection:
        METADATA.create_all(connection)
        METADATA.create_all(connection)
        SqlOutbox().submit(connection, ship, 1)
