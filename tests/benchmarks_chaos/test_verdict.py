"""How the three witnesses are put together, and what is printed and returned."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from benchmarks.__main__ import main
from benchmarks.chaos import run as chaos_run
from benchmarks.chaos.append_only import Life, Testimony
from benchmarks.chaos.calm import Final
from benchmarks.chaos.certainty import certain
from benchmarks.chaos.jobs import wrong_end
from benchmarks.chaos.plan import Fault
from benchmarks.chaos.run import defects
from benchmarks.chaos.slot import Death
from benchmarks.chaos.torment import Injected
from benchmarks.chaos.verdict import Asked, Verdict, lost, read_history, recoveries, takeovers
from benchmarks.history import Record, records
from penstock.engine.job import Job, JobState
from penstock.engine.record import Header


def life(state: str) -> Life:
    """A job that the server has last seen in this state."""
    return Life(Header(1, JobState(state), 0, 0, 0, 0, 0, 0, 0, 0, "-", "-"))


def test_lost_is_what_was_acknowledged_or_stored_and_has_not_ended() -> None:
    """What was sent without an answer may be missing; what was stored must end all the same."""
    final = Final()
    final.missing = ["q.acknowledged", "q.unknown"]
    final.unended = ["q.waiting"]
    testimony = Testimony(lives={"q.stuck": life("ready"), "q.fine": life("dead")})
    assert lost(final, Asked(acknowledged={"q.acknowledged", "q.fine"}), testimony) == [
        "q.acknowledged",
        "q.stuck",
        "q.waiting",
    ]


def test_recovery_is_the_time_to_the_next_ending() -> None:
    """Of each fault; the last ones have no ending after them."""
    faults = [Injected(Fault(0, "server", "crash"), at) for at in (1_000, 2_000, 9_000)]
    assert [seconds for seconds, _ in recoveries(faults, [5_500, 900, 1_200])] == [0.2, 3.5]


def test_takeover_counts_from_the_death_of_who_held_the_lease() -> None:
    """Leases lost before the death, and by processes that lived, are not its doing."""
    testimony = Testimony(
        revoked={("q", "host-7-aa-1"): 900, ("q", "host-7-aa-2"): 3_000, ("q", "host-8-bb-1"): 4_000},
        taken_over={
            ("q", "host-7-aa-1"): [950],
            ("q", "host-7-aa-2"): [3_100, 3_400],
            ("q", "host-8-bb-1"): [4_100],
        },
    )
    assert takeovers([Death("worker-1", 7, 1_000)], testimony) == [(2.0, 2.4)]


def test_history_tells_what_was_sent_acknowledged_and_refused() -> None:
    """A submission without an answer is sent, and not acknowledged."""
    entry = records.NewEntry("0001", 0, "-", False)
    other = records.NewEntry("0002", 0, "-", False)
    history: list[Record] = [
        records.Submit(by="s", at=1, call=1, queue="q", jobs=[entry]),
        records.Submit(by="s", at=2, call=2, queue="q", jobs=[other]),
        records.Submitted(by="s", at=3, call=1, answers=[("0001", True)]),
        records.Cancel(by="s", at=4, call=3, queue="q", suffix="0002"),
        records.Settled(by="w", at=5, call=1, accepted=[True, False]),
    ]
    asked = read_history(history)
    assert asked.sent == {("q", "0001"), ("q", "0002")}
    assert (asked.acknowledged, asked.cancels, asked.refused) == ({"q.0001"}, {"q.0002"}, 1)


def test_an_answer_that_may_be_the_second_one_proves_nothing() -> None:
    """After a reply that was cut the next sending has nothing to tell; the server tells of leases."""
    certainly: list[Record] = [
        records.GivenBack(by="w", at=1, call=1, suffixes=["0001"]),
        records.Settled(by="w", at=3, call=3, accepted=[True]),
    ]
    doubtful: list[Record] = [
        records.GivenBack(by="w", at=2, call=2, suffixes=[]),
        records.Settled(by="w", at=4, call=4, accepted=[True, False]),
        records.Cancelled(by="w", at=5, call=5, ended=False),
    ]
    testimony = Testimony(revoked={("q", "worker"): 7})
    found = list(certain([*certainly, *doubtful], testimony, offset=-5_000_000))
    assert found[:2] == certainly
    assert found[2:] == [records.LeaseLost(by="server", at=4_000_000, queue="q", worker="worker")]


def test_a_lease_that_was_begun_anew_was_not_lost() -> None:
    """Other leases that the same reaper found are."""
    reaped = records.Reaped(by="w", at=1, call=1, revoked=["revived", "dead"], returned=[], dead=[])
    assert list(certain([reaped], Testimony(revived={"revived"}), 0)) == [replace(reaped, revoked=["dead"])]


JOB = Job(
    id="q.1",
    queue="q",
    job="chaos.noop",
    state=JobState.SUCCEEDED,
    attempt=1,
    crashes=0,
    priority=0,
    tenant=None,
    user=None,
    submitted_at=0.0,
    due_at=0.0,
    ended_at=1.0,
    started_at=0.5,
    worker="w",
    args={},
    result=None,
    error=None,
    headers={},
)


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({}, True),
        ({"attempt": 2}, False),
        ({"state": JobState.CANCELLED}, False),
        ({"state": JobState.EXPIRED}, False),
        ({"state": JobState.DEAD}, False),
        ({"state": JobState.DEAD, "crashes": 3}, True),
        ({"job": "chaos.doomed"}, False),
        ({"job": "chaos.doomed", "state": JobState.DEAD}, True),
        ({"job": "chaos.hopeless", "state": JobState.DEAD}, False),
        ({"job": "chaos.hopeless", "state": JobState.DEAD, "attempt": 2}, True),
        ({"job": "chaos.flaky", "args": {"failures": 2}, "attempt": 3, "result": 3}, True),
        ({"job": "chaos.flaky", "args": {"failures": 2}, "attempt": 2, "result": 2}, False),
        ({"job": "chaos.poison"}, False),
    ],
)
def test_each_job_may_end_in_its_own_way_only(fields: dict[str, Any], right: bool) -> None:
    """A dead no-op, a flaky job that did not fail, a poison that succeeded: each is told."""
    job = replace(JOB, **fields)
    assert (wrong_end(job, cancel_asked=False, may_expire=False) is None) is right


def test_only_what_was_asked_for_may_be_cancelled_or_expire() -> None:
    """With a request, or with a deadline, the same ends are right."""
    assert wrong_end(replace(JOB, state=JobState.CANCELLED), cancel_asked=True, may_expire=False) is None
    assert wrong_end(replace(JOB, state=JobState.EXPIRED), cancel_asked=False, may_expire=True) is None


def test_a_loop_that_crashed_is_a_violation(tmp_path: Path) -> None:
    """A worker that mended itself had a defect all the same."""
    log = tmp_path / "worker-1.log"
    log.write_text("1.0 StoreDown(loop='x')\n2.0 LoopCrashed(loop='settler')\n")
    assert defects(log) == ["worker-1 says: 2.0 LoopCrashed(loop='settler')"]


@pytest.fixture
def verdict(tmp_path: Path) -> Verdict:
    """A run in which all was well."""
    return Verdict(
        seed=4,
        seconds=60.0,
        folder=tmp_path,
        submitted=12,
        acknowledged=11,
        ended=11,
        lost=[],
        twice=[],
        violations=[],
        redelivered=3,
        refused=2,
        buried=1,
        faults={"worker kill": 5},
        mishaps={"cut": 6},
        recoveries=[(0.5, "a crash")],
        takeovers=[(2.0, 2.5)],
    )


def run_cli(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> tuple[int, str]:
    """`python -m benchmarks chaos` on a run that is already over."""

    async def run(*_: object) -> Verdict:
        return verdict

    monkeypatch.setattr(chaos_run, "run", run)
    result = CliRunner(env={"COLUMNS": "200"}).invoke(main, ["chaos", "--minutes", "1", "--seed", "4"])
    return result.exit_code, result.output


def test_a_good_run_prints_its_figures_and_exits_with_0(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict
) -> None:
    """Seed, what was lost, what was injected and the longest recovery all stand in the table."""
    code, output = run_cli(monkeypatch, verdict)
    assert code == 0
    for words in ("seed 4", "lost", "ended twice", "violations", "worker kill", "connection cut", "a crash"):
        assert words in output


@pytest.mark.parametrize("field", ["lost", "twice", "violations"])
def test_a_bad_run_shows_why_and_where_and_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict, field: str
) -> None:
    """The first things that were wrong, the folder that was kept, and how to have the same faults again."""
    setattr(verdict, field, [f"q.{number}" for number in range(30)])
    code, output = run_cli(monkeypatch, verdict)
    assert code == 1
    assert "q.0" in output
    assert "q.29" not in output
    assert "20 more" in output
    assert str(verdict.folder) in output.replace("\n", "")
    assert "--minutes 1 --seed 4" in output


def test_the_history_of_a_run_is_json_lines(tmp_path: Path) -> None:
    """What is kept can be read with any tool."""
    path = tmp_path / "one.jsonl"
    path.write_bytes(records.encode(records.Crashed(by="harness", at=1, victim="worker-1.2")) + b"\n")
    assert json.loads(path.read_text())["victim"] == "worker-1.2"
    assert [record.at for record in records.read([path])] == [1]
