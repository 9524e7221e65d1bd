"""What a seed fixes: the faults, the mishaps, the jobs."""

from collections import Counter
from itertools import pairwise

from benchmarks.chaos.load import batch
from benchmarks.chaos.misfortune import misfortune
from benchmarks.chaos.plan import SUBMITTERS, WORKERS, plan


def test_the_same_seed_plans_the_same() -> None:
    """Faults, mishaps and batches are functions of the seed; another seed gives others."""
    assert plan(1, 180) == plan(1, 180) != plan(2, 180)
    assert misfortune(1, "worker-1", 5) == misfortune(1, "worker-1", 5) != misfortune(2, "worker-1", 5)
    assert batch(1, "submitter-1", 5) == batch(1, "submitter-1", 5) != batch(2, "submitter-1", 5)


def test_a_shorter_run_has_the_same_faults() -> None:
    """A minute of a seed is the first minute of its three, but for what its end cuts short."""
    minute = [(fault.at, fault.target, fault.kind) for fault in plan(1, 60)]
    three = [(fault.at, fault.target, fault.kind) for fault in plan(1, 180)]
    assert minute == three[: len(minute)]


def test_one_target_has_one_fault_at_a_time() -> None:
    """What is stopped is not killed before it goes on; nothing begins or lasts beyond the end."""
    for target in {fault.target for fault in plan(3, 180)}:
        faults = [fault for fault in plan(3, 180) if fault.target == target]
        assert all(first.at + first.seconds < second.at for first, second in pairwise(faults))
        assert max(fault.at + fault.seconds for fault in faults) <= 180


def test_a_minute_holds_all_that_matters() -> None:
    """Whatever the seed, each minute kills workers and the server, and stops, drains and cuts off."""
    for seed in range(20):
        kinds = Counter(f"{fault.target.partition('-')[0]} {fault.kind}" for fault in plan(seed, 60))
        assert kinds["worker kill"] + kinds["worker stop"] + kinds["worker partition"] >= 8
        assert kinds["server crash"] + kinds["server stall"] >= 2
        assert kinds["network blip"] >= 2
        assert kinds["worker drain"] >= 1
    assert {*WORKERS, *SUBMITTERS} <= {fault.target for fault in plan(1, 60)}


def test_every_job_and_option_is_submitted() -> None:
    """A few hundred batches hold every kind of job, delays, deadlines and both kinds of key."""
    requests = [request for number in range(2000) for request in batch(1, "submitter-1", number)]
    jobs = Counter(request.job.partition(".")[2] for request in requests)
    assert set(jobs) == {"noop", "nap", "work", "flaky", "hopeless", "doomed", "poison"}
    for option in ("idempotency_key", "unique_key", "expires_in", "tenant"):
        assert any(getattr(request, option) for request in requests)
        assert not all(getattr(request, option) for request in requests)
    assert any(request.delay for request in requests)
