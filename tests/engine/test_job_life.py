"""The life of a job as a graph: what `job.MOVES` says and what it must never say."""

import pytest

from penstock.engine.job import FINAL, MOVES, JobState, legal, trace_id_of

STARTS = {JobState.BLOCKED, JobState.SCHEDULED, JobState.READY}
"""The states in which a job can be submitted."""
WAITING = {JobState.BLOCKED, JobState.SCHEDULED, JobState.READY, JobState.PARKED}


def after(state: JobState) -> set[JobState]:
    return {target for source, target in MOVES if source is state}


def before(state: JobState) -> set[JobState]:
    return {source for source, target in MOVES if target is state}


def reachable(start: set[JobState]) -> set[JobState]:
    found, new = set[JobState](), start
    while new:
        found |= new
        new = {target for state in new for target in after(state)} - found
    return found


def test_the_final_states_are_these() -> None:
    """Final is a property of the state, the same everywhere."""
    assert {"succeeded", "dead", "cancelled", "expired"} == FINAL
    assert {state for state in JobState if state.final} == FINAL


def test_final_states_have_no_exit_but_the_requeue_of_a_dead_letter() -> None:
    """What has ended stays ended, unless somebody puts a dead letter back by hand."""
    assert {(state, target) for state in FINAL for target in after(state)} == {
        (JobState.DEAD, JobState.READY)
    }


def test_every_state_can_be_reached() -> None:
    """No state is only a word: a submitted job can get there."""
    assert reachable(STARTS) == set(JobState)


@pytest.mark.parametrize("state", sorted(set(JobState) - FINAL))
def test_every_unfinished_job_can_end_in_every_way(state: JobState) -> None:
    """There is no dead end that is not an ending."""
    assert reachable({state}) >= FINAL


@pytest.mark.parametrize("state", sorted(WAITING | {JobState.RUNNING}))
def test_whatever_has_not_ended_can_be_cancelled(state: JobState) -> None:
    """Cancelling is one move from everywhere."""
    assert legal(state, JobState.CANCELLED)


def test_only_a_ready_job_starts_running() -> None:
    """There is one way into a worker."""
    assert before(JobState.RUNNING) == {JobState.READY}


def test_only_running_decides_about_success_and_failure() -> None:
    """No job ends by itself: it was claimed before, or somebody cancelled it."""
    for state in FINAL - {JobState.CANCELLED}:
        assert before(state) == {JobState.RUNNING}
    assert before(JobState.PARKED) == {JobState.RUNNING}


def test_no_move_stays_where_it_is() -> None:
    """A move changes the state, or it is none."""
    assert not any(legal(state, state) for state in JobState)


def test_every_move_has_a_reason() -> None:
    """The table explains itself: the diagram in the docs is labelled from it."""
    assert all(reason.strip() for reason in MOVES.values())


def test_legal_is_the_table() -> None:
    """There is no second opinion."""
    pairs = {(source, target) for source in JobState for target in JobState if legal(source, target)}
    assert pairs == set(MOVES)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
            "0af7651916cd43dd8448eb211c80319c",
        ),
        ({"traceparent": "00-short-b7ad6b7169203331-01"}, None),
        ({"traceparent": "nonsense"}, None),
        ({}, None),
    ],
)
def test_the_trace_id_is_read_from_the_header(headers: dict[str, str], expected: str | None) -> None:
    """32 hexadecimal digits from W3C `traceparent`, or nothing."""
    assert trace_id_of(headers) == expected
