"""Where schedules stand: one job a moment, forward only, moved on and stored in one step."""

from typing import Any

import pytest
import trio

from penstock.engine.errors import QueueFull
from penstock.engine.job import JobState
from penstock.engine.periodic_store import (
    FORGOTTEN_AFTER,
    SEEN_AGAIN,
    Declared,
    Fired,
    Firing,
    Schedules,
    Standing,
    Steering,
)
from penstock.engine.store import Terms
from support.stores import START, QueueUnderTest, new_job

MINUTE = 60_000


class Book:
    """One schedule, `nightly`, that was declared at the start."""

    def __init__(self, queue: QueueUnderTest) -> None:
        self.queue = queue
        self.schedules: Schedules = queue.store.schedules

    async def attend(self, text: bytes = b"daily", *, new: bool = False, last: int = 0) -> Standing:
        """Attend to it; where it stands."""
        declared = Declared(name="nightly", next=START + MINUTE, text=text, last=last)
        attendance = await self.schedules.attend(self.queue.name, [declared], new=new)
        assert attendance.now == self.queue.now
        return attendance.standings["nightly"]

    async def standing(self) -> Standing:
        """Where it stands, without attending to it."""
        return (await self.schedules.attend(self.queue.name)).standings["nightly"]

    async def fire(self, minute: int, worker: str = "w1", **job: Any) -> Fired:
        """Fire the moment so many minutes after the start, under the id `m<minute>`."""
        terms = Terms(most=job.pop("most", 0))
        return await self.schedules.fire(
            self.queue.name, self.firing(minute, worker), new_job(f"m{minute}", **job), terms
        )

    async def pass_over(self, minute: int, worker: str = "w1") -> Fired:
        """The same without a job."""
        return await self.schedules.fire(self.queue.name, self.firing(minute, worker))

    def firing(self, minute: int, worker: str) -> Firing:
        moment = START + minute * MINUTE
        return Firing(name="nightly", moment=moment, next=moment + MINUTE, worker=worker)

    async def steer(self, what: Steering) -> bool | None:
        """Pause, resume or forget it."""
        return await self.schedules.steer(self.queue.name, "nightly", what)


@pytest.fixture
async def book(queue: QueueUnderTest) -> Book:
    """A schedule that begins now."""
    book = Book(queue)
    await book.attend(new=True)
    return book


async def test_what_is_new_begins_now(book: Book) -> None:
    """Nothing that came before is ever due."""
    assert await book.standing() == Standing(last=START, next=START + MINUTE, seen=START, text=b"daily")


async def test_a_moment_is_fired_when_it_has_come_and_not_before(book: Book) -> None:
    """By the store's clock, to the millisecond."""
    await book.queue.advance(MINUTE - 1)
    assert await book.fire(1) == Fired("early", START + MINUTE - 1)
    await book.queue.advance(1)
    assert await book.fire(1) == Fired("fired", START + MINUTE, "m1", True)
    assert await book.queue.state("m1") is JobState.READY
    assert await book.standing() == Standing(
        last=START + MINUTE, next=START + 2 * MINUTE, seen=START, job="m1", by="w1", text=b"daily"
    )


async def test_of_many_who_fire_at_once_one_does(book: Book) -> None:
    """Looking where it stands, moving it on and storing the job is one step."""
    await book.queue.advance(MINUTE)
    answers: list[Fired] = []

    async def fire(worker: str) -> None:
        answers.append(await book.fire(1, worker))

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(fire, f"w{number}")
    assert sorted(answer.word for answer in answers) == ["fired"] + ["past"] * 19
    assert (await book.queue.store.facts(book.queue.name)).ready == 1


async def test_sent_again_by_the_same_worker_it_answers_alike(book: Book) -> None:
    """A lost reply: nothing more is done, also where no job was stored, or another stands for it."""
    await book.queue.advance(4 * MINUTE)
    assert await book.pass_over(0) == Fired("past", book.queue.now)
    for _ in range(2):
        assert await book.pass_over(1) == Fired("fired", book.queue.now)
    assert (
        await book.fire(2, unique="u")
        == await book.fire(2, unique="u")
        == Fired("fired", book.queue.now, "m2", True)
    )
    assert (
        await book.fire(3, unique="u")
        == await book.fire(3, unique="u")
        == Fired("fired", book.queue.now, "m2")
    )
    assert await book.pass_over(4) == await book.pass_over(4) == Fired("fired", book.queue.now)
    assert (await book.queue.store.facts(book.queue.name)).ready == 1


async def test_a_schedule_only_goes_forward(book: Book) -> None:
    """What lies before where it stands is past, though its job's record may be gone by then."""
    await book.queue.advance(3 * MINUTE)
    await book.fire(3)
    hand = await book.queue.worker()
    await hand.end(await hand.take_one(), delay=1)
    await book.queue.advance(1)
    with trio.fail_after(10):  # Redis keeps it for a real millisecond
        while await book.queue.store.look(book.queue.name, "m3") is not None:
            pass
    for minute in (1, 2, 3):
        assert (await book.fire(minute, "w2")).word == "past"
    assert (await book.queue.store.facts(book.queue.name)).ready == 0


async def test_a_moment_may_be_passed_over(book: Book) -> None:
    """Then nobody fires it, and what was known of the last job stays."""
    await book.queue.advance(2 * MINUTE)
    await book.fire(1)
    assert await book.pass_over(2, "w2") == Fired("fired", book.queue.now)
    assert (await book.fire(2)).word == "past"
    standing = await book.standing()
    assert (standing.last, standing.job, standing.by) == (START + 2 * MINUTE, "m1", "w2")


async def test_without_room_nothing_changes(book: Book) -> None:
    """A queue that is full refuses, and the moment can be fired when there is room."""
    await book.queue.submit("a")
    await book.queue.advance(MINUTE)
    with pytest.raises(QueueFull):
        await book.fire(1, most=1)
    assert (await book.standing()).last == START
    await (await book.queue.worker()).take(1)
    assert (await book.fire(1, most=1)).created


async def test_while_an_earlier_job_holds_the_key_the_moment_has_none_of_its_own(book: Book) -> None:
    """The answer names the job that stands for it; once that has ended, the next has its own again."""
    await book.queue.advance(3 * MINUTE)
    await book.fire(1, unique="u")
    assert await book.fire(2, unique="u") == Fired("fired", book.queue.now, "m1", False)
    hand = await book.queue.worker()
    await hand.end(await hand.take_one())
    assert (await book.fire(3, unique="u")).created


async def test_an_id_that_exists_is_left_alone(book: Book) -> None:
    """Where the store lost where a schedule stood, but not its job."""
    await book.queue.submit("m1", body=b"\x90")
    await book.queue.advance(MINUTE)
    assert await book.fire(1) == Fired("fired", book.queue.now, "m1", False)
    assert (await book.queue.store.facts(book.queue.name)).ready == 1


async def test_firing_wakes_an_idle_worker(book: Book) -> None:
    """As any submission does."""
    await book.queue.advance(MINUTE)
    hand = await book.queue.worker()
    async with hand.idle() as wakes:
        await book.fire(1)
        with trio.fail_after(10):
            await anext(wakes)


async def test_while_it_is_paused_nothing_is_fired(book: Book) -> None:
    """And what came meanwhile is not caught up with."""
    assert [await book.steer("pause"), await book.steer("pause")] == [True, False]
    await book.queue.advance(2 * MINUTE)
    assert (await book.standing()).paused
    assert await book.fire(1) == Fired("paused", book.queue.now)
    assert await book.pass_over(1) == Fired("paused", book.queue.now)
    assert [await book.steer("resume"), await book.steer("resume")] == [True, False]
    assert (await book.fire(2)).word == "past"
    await book.queue.advance(MINUTE)
    assert (await book.fire(3)).created


async def test_what_is_declared_differently_begins_anew(book: Book) -> None:
    """When a worker begins with it; those that still have the old one change nothing by looking."""
    await book.queue.advance(5 * MINUTE)
    assert await book.attend(b"hourly") == await book.standing()
    assert (await book.standing()).last == START
    assert (await book.attend(b"daily", new=True)).last == START
    changed = await book.attend(b"hourly", new=True)
    assert (changed.last, changed.text) == (book.queue.now, b"hourly")


async def test_it_does_not_go_back_because_it_is_declared_anew(book: Book) -> None:
    """Nor is a pause forgotten."""
    await book.queue.advance(MINUTE)
    await book.fire(1)
    await book.steer("pause")
    again = await book.attend(b"hourly", new=True)
    assert (again.last, again.paused, again.job) == (START + MINUTE, True, "m1")


async def test_looking_notes_now_and_then_that_somebody_attends(book: Book) -> None:
    """Not at each look: that would write all the time."""
    await book.queue.advance(SEEN_AGAIN - 1)
    assert (await book.attend()).seen == START
    await book.queue.advance(1)
    assert (await book.standing()).seen == START
    assert (await book.attend()).seen == START + SEEN_AGAIN


async def test_what_nobody_attends_to_is_dropped_in_the_end(book: Book) -> None:
    """By the next worker that begins, not by one that looks."""
    await book.queue.advance(FORGOTTEN_AFTER - 1)
    await book.schedules.attend(book.queue.name, new=True)
    await book.queue.advance(1)
    assert "nightly" in (await book.schedules.attend(book.queue.name)).standings
    assert (await book.schedules.attend(book.queue.name, new=True)).standings == {}


async def test_what_is_not_known_cannot_be_fired_or_steered(queue: QueueUnderTest) -> None:
    """Nothing is stored for it."""
    book = Book(queue)
    assert await book.fire(-1) == Fired("unknown", queue.now)
    assert [await book.steer("pause"), await book.steer("resume"), await book.steer("forget")] == [None] * 3
    assert await book.schedules.attend(queue.name) == await book.schedules.attend(queue.name, new=True)
    assert (await queue.store.facts(queue.name)).ready == 0


async def test_a_worker_can_say_where_it_stood(book: Book) -> None:
    """Where the store has lost it; where it has not, its own word counts."""
    await book.queue.advance(MINUTE)
    assert (await book.attend(last=START - 1)).last == START
    assert await book.steer("forget")
    assert (await book.attend(last=START + 7)).last == START + 7


async def test_each_queue_has_its_own(book: Book) -> None:
    """The same name elsewhere is another schedule."""
    other = Book(QueueUnderTest(book.queue.harness))
    assert (await other.schedules.attend(other.queue.name)).standings == {}
    await other.attend(new=True)
    await book.queue.advance(MINUTE)
    assert (await book.fire(1)).created
    assert (await other.fire(1)).created
