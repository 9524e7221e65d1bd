"""Searches find what they are asked for, newest first, a page at a time, on both databases."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from job_history.endings import START, dead, ending, failure, job_id, numbers
from penstock.engine.errors import InvalidRequest
from penstock.engine.job import JobState
from penstock.engine.job_ending import JobEnding
from penstock.engine.job_history import History, Page, Search

TRACE, OTHER = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"

TRUE: dict[str, Callable[[JobEnding, Any], bool]] = {
    "tenant": lambda one, tenant: one.tenant == tenant,
    "job": lambda one, job: one.job == job,
    "queue": lambda one, queue: one.queue == queue,
    "state": lambda one, state: one.state is state,
    "since": lambda one, since: one.ended_at >= since,
    "until": lambda one, until: one.ended_at < until,
    "error": lambda one, _: one.error is not None,
    "trace_id": lambda one, trace_id: one.trace_id == trace_id,
}


def number_of(one: JobEnding) -> int:
    """Which job it is."""
    return int(one.event_id.removesuffix("-0"))


async def pages(history: History, **asked: Any) -> list[list[int]]:
    """The jobs of each page to the last."""
    found: list[list[int]] = []
    cursor: str | None = None
    while True:
        page = await history.search(Search(cursor=cursor, **asked))
        found.append(numbers(page))
        cursor = page.next
        if cursor is None:
            return found


async def test_a_search_finds_what_looking_at_each_job_finds(history: History) -> None:
    """300 jobs at random, 60 searches at random; many end in the same millisecond."""
    chance = random.Random(5)
    tenants, names, queues = ("a", "b", None), ("m.x", "m.y"), ("one", "two")
    told = [
        (dead if chance.random() < 0.3 else ending)(
            number,
            tenant=chance.choice(tenants),
            job=chance.choice(names),
            queue=chance.choice(queues),
            trace_id=chance.choice((TRACE, OTHER, None)),
            ended_at=START + chance.randrange(40),
        )
        for number in range(300)
    ]
    await history.writer.take(told)
    for _ in range(60):
        since = START + chance.randrange(40)
        choices: dict[str, Any] = {
            "tenant": chance.choice(("a", "b", "c")),
            "job": chance.choice(names),
            "queue": chance.choice(queues),
            "state": JobState.DEAD,
            "since": since,
            "until": since + chance.randrange(20),
            "error": "ROUTE to",
            "trace_id": chance.choice((TRACE, OTHER)),
        }
        asked = {name: value for name, value in choices.items() if chance.random() < 0.35}
        wanted = [one for one in told if all(TRUE[name](one, value) for name, value in asked.items())]
        wanted.sort(key=lambda one: (one.ended_at, one.id), reverse=True)
        found = await pages(history, limit=chance.choice((7, 50)), **asked)
        assert [number for page in found for number in page] == [number_of(one) for one in wanted], asked


async def test_pages_stay_as_they_are_while_jobs_end(history: History) -> None:
    """New jobs, newer and as new as those shown, neither repeat nor hide one; a last page has no next."""
    await history.writer.take([ending(number, ended_at=START) for number in range(10, 30)])
    first = await history.search(Search(limit=10))
    assert numbers(first) == list(range(29, 19, -1))
    await history.writer.take([ending(40), ending(31, ended_at=START)])
    second = await history.search(Search(limit=10, cursor=first.next))
    assert numbers(second) == list(range(19, 9, -1))
    assert second.next is None


async def test_a_page_may_be_exactly_full(history: History) -> None:
    """Then no empty one follows."""
    await history.writer.take([ending(1), ending(2)])
    assert (await history.search(Search(limit=2))).next is None
    assert await history.search(Search(tenant="nobody")) == Page([], None)


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("100%", [1]),
        ("_x_", [2]),
        ("\\", [3]),
        ("'; DROP TABLE jobs; --", [4]),
        ("UNREACHABLE", [4, 3, 2, 1]),
        ("app.", [4, 3, 2, 1]),
        ("%", [1]),
    ],
)
async def test_parts_of_errors_are_taken_literally(history: History, part: str, found: list[int]) -> None:
    """Nothing in them is a pattern, or SQL; the type is searched as well as the message."""
    words = ("100% full", "a_x_b", "C:\\temp", "'; DROP TABLE jobs; --")
    told = [dead(number, error=failure(text)) for number, text in enumerate(words, 1)]
    await history.writer.take([*told, ending(9)])
    assert numbers(await history.search(Search(error=part))) == found


async def test_an_attempt_in_a_trace_of_its_own_leads_to_its_job(history: History) -> None:
    """A retry begins another trace than its job's; an error report names that one. A job is found once."""
    error = failure(traceparent=f"00-{OTHER}-00f067aa0ba902b7-01")
    told = [
        ending(1, state=JobState.SCHEDULED, error=error, trace_id=TRACE),
        ending(1, attempt=2, trace_id=TRACE),
        dead(2, error=failure(traceparent=f"00-{TRACE}-00f067aa0ba902b7-01"), trace_id=TRACE),
    ]
    await history.writer.take(told)
    assert numbers(await history.search(Search(trace_id=OTHER))) == [1]
    assert numbers(await history.search(Search(trace_id=TRACE))) == [2, 1]
    found = await history.read(job_id(1))
    assert found is not None
    assert [one.trace_id for one in found.attempts] == [OTHER, TRACE]


async def test_a_job_that_ends_once_more_moves_to_its_new_time(history: History) -> None:
    """A dead letter that was put back stands where it ended last, in its new state."""
    await history.writer.take([dead(1), ending(2)])
    await history.writer.take([ending(1, attempt=2, ended_at=START + 3)])
    assert numbers(await history.search(Search())) == [1, 2]
    assert numbers(await history.search(Search(state=JobState.DEAD))) == []


GARBAGE = [
    "",
    "~",
    "x",
    "12",
    "12~",
    f"~{job_id(1)}",
    f"-1~{job_id(1)}",
    f"12~{job_id(1)}~",
    f"12~{job_id(1)}\n",
    f"12 ~{job_id(1)}",
    f"1e3~{job_id(1)}",
    f"12~{job_id(1).upper()}",
    f"{'9' * 400}~{job_id(1)}",
    f"١٢~{job_id(1)}",
    "12~' OR 1=1 --",
    "12~\0",
    "\ud800",
    "12~" + "a" * 100_000,
]


@pytest.mark.parametrize("cursor", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_is_no_cursor(history: History, cursor: str) -> None:
    """It is the caller's fault, said in a sentence that does not repeat it."""
    with pytest.raises(InvalidRequest, match="no cursor of the history") as caught:
        await history.search(Search(cursor=cursor))
    assert caught.value.field == "cursor"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limit", 0),
        ("limit", 501),
        ("limit", -1),
        ("tenant", ""),
        ("error", ""),
        ("job", "x" * 401),
        ("trace_id", ""),
        ("since", float("nan")),
        ("until", float("inf")),
        ("state", JobState.RUNNING),
    ],
)
async def test_what_cannot_be_looked_for_is_the_callers_fault(
    history: History, field: str, value: Any
) -> None:
    """The field is named."""
    with pytest.raises(InvalidRequest) as caught:
        await history.search(Search(**{field: value}))
    assert caught.value.field == field


@pytest.mark.parametrize("text", ["\0", "\ud800", "a\0b", "ü" * 400])
async def test_any_text_may_be_looked_for(history: History, text: str) -> None:
    """What no database can hold is simply not found."""
    for field in ("tenant", "job", "queue", "error", "trace_id"):
        asked: dict[str, Any] = {field: text}
        assert (await history.search(Search(**asked))).jobs == []


@pytest.mark.parametrize("time", [-1e300, -1.0, 0.0, 1e300])
async def test_any_time_may_be_looked_for(history: History, time: float) -> None:
    """Before all times, or after."""
    await history.writer.take([ending(1)])
    assert numbers(await history.search(Search(since=time))) == ([1] if time < 1 else [])
    assert numbers(await history.search(Search(until=time))) == ([1] if time > 1 else [])


async def test_only_ids_of_jobs_are_read(history: History) -> None:
    """Anything else is the caller's fault."""
    with pytest.raises(InvalidRequest):
        await history.read("' OR 1=1")
