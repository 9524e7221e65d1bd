"""Names, records, delays and the buffer: the pure parts."""

import random

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine import Backoff, WorkerSettings
from penstock.engine.buffer import Buffer
from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.engine.events import Event, Observers, StoreDown, StoreUp
from penstock.engine.held import Held
from penstock.engine.job import JobState, trace_id_of
from penstock.engine.names import (
    idempotent_job_id,
    new_job_id,
    quote_tenant,
    split_job_id,
    unquote_tenant,
)
from penstock.engine.record import Header, Record, parse_record
from penstock.engine.store import Claimed


@given(st.one_of(st.none(), st.text(min_size=1).filter(lambda text: "\ud800" not in repr(text))))
def test_any_tenant_fits_into_a_key_and_comes_back(tenant: str | None) -> None:
    """Quoting leaves no space, line feed or brace, and loses nothing."""
    quoted = quote_tenant(tenant)
    assert not set(quoted) & set(" \n\r\t{}:")
    assert unquote_tenant(quoted) == tenant


def test_ids_carry_their_queue_and_sort_by_age() -> None:
    """Any process finds the job from its id alone."""
    ids = [new_job_id("a-queue_1") for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(split_job_id(job_id)[0] == "a-queue_1" for job_id in ids)
    assert ids[0][:22] <= ids[-1][:22]
    assert split_job_id(idempotent_job_id("q", None, "k"))[0] == "q"


@pytest.mark.parametrize(
    "text", ["", "q", "q.", ".0", "q." + "g" * 28, "Q." + "0" * 28, "q." + "0" * 28 + "\n"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    """Ids come from outside: nothing else may reach a key."""
    with pytest.raises(InvalidRequest, match="is no job id"):
        split_job_id(text)


counts = st.integers(0, 2**40)


@given(
    st.builds(
        Header,
        version=st.integers(1, 99),
        state=st.sampled_from(JobState),
        attempt=counts,
        crashes=counts,
        priority=st.integers(0, 9),
        token=counts,
        submitted=counts,
        due=counts,
        ended=counts,
        size=st.just(0),
        flags=st.sampled_from(["-", "u"]),
        tenant=st.sampled_from(["-", "acme", "%22"]),
    ),
    st.binary(),
    st.binary(),
)
def test_a_record_is_read_as_it_was_written(header: Header, body: bytes, ending: bytes) -> None:
    """Whatever bytes body and ending hold, line feeds included."""
    from msgspec.structs import replace

    record = Record(replace(header, size=len(body)), body, ending)
    assert parse_record(record.encode()) == record


@given(st.binary())
def test_what_is_no_record_is_a_value_error(raw: bytes) -> None:
    """Garbage in Redis is answered in one way, so that it can be buried."""
    with pytest.raises(ValueError, match=r"record|state|invalid"):
        parse_record(raw)


@given(st.integers(1, 10_000), st.floats(0, 100), st.floats(0, 1000), st.randoms())
def test_backoff_stays_between_nothing_and_its_ceiling(
    attempt: int, base: float, cap: float, rng: random.Random
) -> None:
    """Full jitter: never more than the exponential, never more than the cap, however late the attempt."""
    backoff = Backoff(base=base, cap=cap)
    assert 0 <= backoff.delay(attempt, rng) <= backoff.ceiling(attempt) <= cap


def test_the_ceiling_doubles() -> None:
    """base · 2ⁿ⁻¹ up to the cap."""
    assert [Backoff(base=1, cap=10).ceiling(attempt) for attempt in range(1, 6)] == [1, 2, 4, 8, 10]


@pytest.mark.parametrize(
    ("headers", "trace_id"),
    [
        ({}, None),
        ({"traceparent": "nonsense"}, None),
        ({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, "a" * 32),
        ({"traceparent": f"cc-{'a' * 32}-{'b' * 16}-01-later"}, "a" * 32),
    ],
)
def test_the_trace_id_is_read_from_traceparent(headers: dict[str, str], trace_id: str | None) -> None:
    """W3C Trace Context: later versions may append fields."""
    assert trace_id_of(headers) == trace_id


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"lease": 0.1}, {"grace": -1}, {"max_crashes": 0}])
def test_settings_that_cannot_work_are_refused(wrong: dict[str, int]) -> None:
    """Before anything starts."""
    with pytest.raises(ConfigurationError):
        WorkerSettings(**wrong)


def _held(number: int) -> Held:
    return Held("q", Claimed(str(number), number, b"1 ready 0 0 "), 1, 0, float(number))


async def test_the_buffer_is_first_in_first_out_bounded_and_can_be_emptied() -> None:
    """What goes in comes out in order; one too many is refused."""
    buffer = Buffer(3)
    for number in range(3):
        buffer.put_nowait(_held(number))
    with pytest.raises(trio.WouldBlock):
        buffer.put_nowait(_held(3))
    assert buffer.oldest == 0.0
    assert (await buffer.take()).claimed.token == 0
    assert [held.claimed.token for held in buffer.empty()] == [1, 2]
    assert buffer.oldest is None


async def test_waiting_takers_get_every_job_once_and_end_when_the_buffer_closes() -> None:
    """Each job wakes a taker, a cancelled taker takes none, and closing lets all of them go."""
    buffer, taken = Buffer(100), list[int]()

    async def take() -> None:
        while True:
            try:
                taken.append((await buffer.take()).claimed.token)
            except trio.EndOfChannel:
                return

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(take)
            await trio.testing.wait_all_tasks_blocked()
            with trio.CancelScope() as scope:
                scope.cancel()
                await buffer.take()
            for number in range(50):
                buffer.put_nowait(_held(number))
            await trio.testing.wait_all_tasks_blocked()
            assert taken == list(range(50))
            buffer.close()


def test_an_observer_that_says_what_it_hears_is_told_nothing_else() -> None:
    """Others are told everything, and those that are added later from then on."""

    class Picky:
        hears = frozenset({StoreUp})

        def __init__(self) -> None:
            self.heard: list[Event] = []

        def __call__(self, event: Event) -> None:
            self.heard.append(event)

    picky, late, everything = Picky(), Picky(), list[Event]()
    observers = Observers(picky, everything.append)
    down, up = StoreDown("fetcher", "refused"), StoreUp("fetcher", 1.0)
    for event in (down, up):
        observers.emit(event)
    observers.add(late)
    observers.emit(up)

    assert everything == [down, up, up]
    assert picky.heard == [up, up]
    assert late.heard == [up]
