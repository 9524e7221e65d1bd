"""What Hypothesis draws: jobs, workers, endings; and how many examples."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from penstock.engine.job import JobState
from penstock.engine.periodic_store import Declared, Firing
from penstock.engine.store import Claimed, NewJob
from support.stores import LEASE, START, new_job

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
PROFILE = settings(
    max_examples=2000 if NIGHTLY else 100,
    stateful_step_count=50,
    derandomize=not NIGHTLY,  # the same on every machine and day; chance is the night's
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
FOREVER = 10**9  # milliseconds: records' expiry runs on the server's real clock, so none may expire
SETTLED = [
    JobState.SUCCEEDED,
    JobState.DEAD,
    JobState.CANCELLED,
    JobState.EXPIRED,
    JobState.SCHEDULED,
    JobState.READY,
    JobState.PARKED,
]
Given = tuple[str, Claimed]
"""Who was given what."""

workers = st.sampled_from([f"w{number}" for number in range(5)])
reporters = st.sampled_from(["p0", "p1"])
anybody = st.tuples(st.integers(0, 3), workers)
"""A worker that has joined, three times in four, or just any."""
names = st.sampled_from(["m.a", "m.b"])
"""Of schedules."""
declarations = st.lists(
    st.builds(
        Declared,
        name=names,
        next=st.just(START),
        text=st.sampled_from([b"{}", b"{}", b'{"when":"@daily"}']),
        last=st.sampled_from([0, 0, START + 3]),
    ),
    max_size=2,
)
moments = st.sampled_from([START, START + 1, START + 20, START + 60, START + LEASE])
firings = st.builds(Firing, name=names, moment=moments, next=st.just(START), worker=workers)
manners = st.fixed_dictionaries({"suspect": st.booleans(), "idle": st.booleans(), "handed": st.booleans()})
"""How a claim is made."""
suffixes = st.sampled_from([f"j{number}" for number in range(40)])


@st.composite
def _new_job(draw: st.DrawFn) -> NewJob:
    other_body = {"body": b"\x92\xa1x\x80"} if draw(st.integers(0, 3)) == 3 else {}
    return new_job(
        draw(suffixes),
        priority=draw(st.sampled_from([0, 0, 1, 9])),
        tenant=draw(st.sampled_from(["-", "-", "acme", "b%20c"])),
        due=draw(st.sampled_from([None, None, None, START - 5, START + 40])),
        delay=draw(st.sampled_from([0, 0, 0, 30])),
        unique=draw(st.sampled_from([None, None, None, None, "u1", "u2"])),
        **other_body,
    )


new_jobs = _new_job()
