"""Every operation of a store in any order, with any arguments that life may bring, on both stores in step."""

from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from model.drawing import (
    FOREVER,
    SETTLED,
    Given,
    anybody,
    declarations,
    firings,
    manners,
    names,
    new_jobs,
    reporters,
    suffixes,
    workers,
)
from model.two_stores import QUEUE, TwoStores
from penstock.engine.job import JobState, legal
from penstock.engine.periodic_store import Declared, Firing, Steering
from penstock.engine.store import NewJob, Settlement, Terms
from support.stores import BURIAL, LEASE, ending, failure

Many = MultipleResults[Given]


class StoresInStep(RuleBasedStateMachine):
    """Hypothesis chooses; each answer is compared, and after each step all that both hold."""

    url: ClassVar[str]
    claimed = Bundle[Given]("claimed")
    """Everything that was ever given to anybody; most of it is stale, as in life."""

    @initialize(joined=st.sets(workers, min_size=1), jobs=st.lists(new_jobs, min_size=3, max_size=10))
    def begin(self, joined: set[str], jobs: list[NewJob]) -> None:
        self.states: dict[str, JobState] = {}
        self.numbers: dict[str, int] = {}
        self.stores = TwoStores(self.url)
        self.stores.__enter__()
        for worker in sorted(joined):
            self.join(worker)
        self.submit(jobs, most=0)

    def teardown(self) -> None:
        if hasattr(self, "stores"):
            self.stores.__exit__(None, None, None)

    def somebody(self, whom: tuple[int, str]) -> str:
        """As `anybody` was drawn."""
        joined = sorted(self.stores.memory._queue(QUEUE).leases)
        return joined[int(whom[1][1:]) % len(joined)] if joined and whom[0] else whom[1]

    # --- submitters and operators ---------------------------------------------------------

    @rule(jobs=st.lists(new_jobs, min_size=1, max_size=6), most=st.sampled_from([0, 0, 0, 0, 8]))
    def submit(self, jobs: list[NewJob], most: int) -> None:
        self.stores.ask(lambda store: store.submit(QUEUE, jobs, Terms(most=most)))

    @rule(suffix=suffixes)
    def cancel(self, suffix: str) -> None:
        self.stores.ask(lambda store: store.cancel(QUEUE, suffix))

    @rule(suffix=suffixes)
    def look_about(self, suffix: str) -> None:
        self.stores.ask(lambda store: store.look(QUEUE, suffix))
        self.stores.ask(lambda store: store.read(QUEUE, suffix))
        self.stores.ask(lambda store: store.queues())

    @rule(reporter=reporters, lease=st.sampled_from([LEASE // 3, LEASE]))
    def report(self, reporter: str, lease: int) -> None:
        self.stores.ask(lambda store: store.report(QUEUE, reporter, lease))

    @rule(reporter=reporters)
    def resign(self, reporter: str) -> None:
        self.stores.ask(lambda store: store.resign(QUEUE, reporter))

    # --- schedules --------------------------------------------------------------------------

    @rule(declared=declarations, new=st.booleans())
    def attend(self, declared: list[Declared], new: bool) -> None:
        self.stores.ask(lambda store: store.schedules.attend(QUEUE, declared, new=new))

    @rule(firing=firings, job=st.none() | new_jobs | new_jobs, most=st.sampled_from([0, 0, 8]))
    def fire(self, firing: Firing, job: NewJob | None, most: int) -> None:
        """Too early, too late, in its time, twice; under an id that may be taken."""
        self.stores.ask(lambda store: store.schedules.fire(QUEUE, firing, job, Terms(most=most)))

    @rule(name=names, what=st.sampled_from(["pause", "resume", "resume", "forget"]))
    def steer(self, name: str, what: Steering) -> None:
        self.stores.ask(lambda store: store.schedules.steer(QUEUE, name, what))

    # --- workers -----------------------------------------------------------------------------

    @rule(worker=workers, slots=st.sampled_from([0, 1, 4]))
    def join(self, worker: str, slots: int = 0) -> None:
        self.stores.ask(lambda store: store.join(QUEUE, worker, LEASE, slots))
        self.stores.listen(worker)

    @rule(whom=anybody)
    def heartbeat(self, whom: tuple[int, str]) -> None:
        worker = self.somebody(whom)
        self.stores.ask(lambda store: store.heartbeat(QUEUE, worker, LEASE))

    @rule()
    def nudge(self) -> None:
        self.stores.ask(lambda store: store.nudge(QUEUE))

    @rule(whom=anybody)
    def leave(self, whom: tuple[int, str]) -> None:
        worker = self.somebody(whom)
        self.stores.ask(lambda store: store.leave(QUEUE, worker))
        self.numbers.pop(worker, None)

    @rule(target=claimed, whom=anybody, count=st.integers(0, 6), how=manners)
    def claim(self, whom: tuple[int, str], count: int, how: dict[str, bool]) -> Many:
        """Also under a number under which a job has been handed over, as one whose wake-up was lost."""
        worker = self.somebody(whom)
        self.numbers[worker] = number = self.numbers.get(worker, 0) + 1
        return self.ask_for_jobs(worker, number, count, how)

    @precondition(lambda self: not len(self.stores.memory._queue(QUEUE).ready))
    @rule(target=claimed, whom=anybody, job=new_jobs, arrives=st.booleans())
    def hand_over(self, whom: tuple[int, str], job: NewJob, arrives: bool) -> Many:
        """A job comes while somebody waits for it, who may not hear of it."""
        worker = self.somebody(whom)
        number = self.numbers.get(worker, 0) + 1
        self.numbers[worker] = number + arrives
        self.ask_for_jobs(worker, number, 1, {"suspect": False, "idle": True, "handed": True})
        self.submit([job], 0)
        return self.ask_for_jobs(worker, number + arrives, 1, {"suspect": False, "idle": False})

    @rule(target=claimed, whom=anybody, older=st.integers(0, 2), how=manners)
    def claim_again(self, whom: tuple[int, str], older: int, how: dict[str, bool]) -> Many:
        """A number that was used, or given back."""
        worker = self.somebody(whom)
        number = max(1, self.numbers.get(worker, 0) - older)
        self.numbers[worker] = max(number, self.numbers.get(worker, 0))
        return self.ask_for_jobs(worker, number, 3, how)

    def ask_for_jobs(self, worker: str, number: int, count: int, how: dict[str, bool]) -> Many:
        self.stores.advance(1)  # who has been idle longest shows by the clock
        claim = self.stores.claim(worker, number, count, **how)
        return multiple(*((worker, job) for job in claim.jobs) if claim is not None else ())

    @rule(whom=anybody, older=st.integers(-1, 2))
    def return_claim(self, whom: tuple[int, str], older: int) -> None:
        """Also of a claim that never arrived."""
        worker = self.somebody(whom)
        number = max(1, self.numbers.get(worker, 0) - older)
        self.numbers[worker] = max(number, self.numbers.get(worker, 0))
        self.stores.ask(lambda store: store.return_claim(QUEUE, worker, number))

    @rule(held=st.lists(claimed, min_size=1, max_size=4), stranger=st.none() | workers)
    def release(self, held: list[Given], stranger: str | None) -> None:
        """In any order, some twice, some of others."""
        worker = stranger or held[0][0]
        pairs = [(job.suffix, job.token) for _, job in held]
        self.stores.ask(lambda store: store.release(QUEUE, worker, pairs))

    @rule(
        held=st.lists(
            st.tuples(claimed, st.sampled_from(SETTLED), st.integers(0, 3), st.sampled_from([0, 20, 70])),
            min_size=1,
            max_size=4,
        ),
        stranger=st.none() | st.none() | workers,
    )
    def settle(self, held: list[tuple[Given, JobState, int, int]], stranger: str | None) -> None:
        """Endings of jobs that are held, were held, or are somebody else's; the same job more than once."""
        worker = stranger or held[0][0][0]
        endings = [
            Settlement(
                *(job.suffix, job.token, state, attempt, FOREVER if state.final else delay, ending(attempt)),
                failure(f"{attempt:016x}", job.suffix) if attempt else None,
            )
            for (_, job), state, attempt, delay in held
        ]
        self.stores.ask(lambda store: store.settle(QUEUE, worker, endings))

    @rule(held=consumes(claimed), state=st.sampled_from(SETTLED))
    def settle_twice(self, held: Given, state: JobState) -> None:
        """One ending, sent again; that job is not heard of again from this worker."""
        worker, job = held
        delay = FOREVER if state.final else 10
        endings = [Settlement(job.suffix, job.token, state, 1, delay, ending(), failure())]
        for _ in range(2):
            self.stores.ask(lambda store: store.settle(QUEUE, worker, endings))

    # --- time ----------------------------------------------------------------------------------

    @rule(milliseconds=st.sampled_from([1, 10, 50, LEASE // 3, LEASE // 2, LEASE, 4 * LEASE]))
    def pass_time(self, milliseconds: int) -> None:
        self.stores.advance(milliseconds)

    @rule(limit=st.integers(1, 4))
    def promote(self, limit: int) -> None:
        self.stores.ask(lambda store: store.promote(QUEUE, limit))

    @rule(
        limit=st.integers(1, 4), patience=st.sampled_from([0, 0, LEASE]), crashes=st.sampled_from([1, 3, 3])
    )
    def reap(self, limit: int, patience: int, crashes: int) -> None:
        self.stores.ask(
            lambda store: store.reap(
                QUEUE,
                max_crashes=crashes,
                ending=BURIAL,
                keep=FOREVER,
                failure=failure(),
                limit=limit,
                patience=patience,
            )
        )

    @rule(silent=st.sets(workers, min_size=1, max_size=2), limit=st.integers(1, 4))
    def fall_silent(self, silent: set[str], limit: int) -> None:
        """Some workers' leases run out, everybody else's are prolonged; one slice is reaped."""
        self.stores.advance(LEASE)
        for worker in sorted(set(self.stores.memory._queue(QUEUE).leases) - silent):
            self.heartbeat((0, worker))
        self.reap(limit, patience=0, crashes=3)

    @precondition(lambda self: self.stores.memory._queue(QUEUE).revoked)
    @rule(state=st.sampled_from(SETTLED))
    def come_too_late(self, state: JobState) -> None:
        """A worker whose lease was revoked asks for everything before its jobs have been moved."""
        queue = self.stores.memory._queue(QUEUE)
        worker = min(queue.revoked)
        held = [(suffix, hold.token) for suffix, hold in queue.running.items() if hold.worker == worker]
        endings = [Settlement(suffix, token, state, 1, FOREVER, ending()) for suffix, token in held]
        self.stores.ask(lambda store: store.settle(QUEUE, worker, endings))
        self.stores.ask(lambda store: store.release(QUEUE, worker, held))
        self.stores.ask(lambda store: store.return_claim(QUEUE, worker, self.numbers.get(worker, 1)))
        self.stores.ask(lambda store: store.leave(QUEUE, worker))
        self.heartbeat((0, worker))
        self.join(worker)

    # --- after each step -------------------------------------------------------------------------

    @invariant()
    def same(self) -> None:
        """Both hold the same, each job stands in one place at most, and has made one legal move at most."""
        if not hasattr(self, "stores"):
            return
        self.stores.ask(lambda store: store.facts(QUEUE))
        self.stores.ask(lambda store: store.failures(QUEUE))
        view = self.stores.compare()
        assert all(count == 1 for count in view.places().values()), view.places()
        states = view.states()
        waiting = {suffix for suffix, state in states.items() if not state.final}
        assert waiting == view.places().keys(), (
            "a job that has not ended stands nowhere, or an ended one does"
        )
        for suffix, state in states.items():
            before = self.states.get(suffix, state)
            assert state is before or legal(before, state), f"{suffix}: {before} -> {state}"
        self.states = states
