"""A server: one core that runs commands, a disk, and the lines of jobs of its queues."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.planning.costs import Server
from benchmarks.planning.model.clock import Action, Clock, Processor

Work = Callable[[], tuple[float, Action]]
"""Done when its turn comes: gives the microseconds that it took, and what follows for whoever asked."""
Taken = Callable[[list[float]], None]
"""Hears of jobs that were handed out: when each was stored."""


@dataclass
class Line:
    """One queue: when its ready jobs were stored, and how to wake the workers that wait, longest first."""

    jobs: deque[float] = field(default_factory=deque)
    idle: dict[Action, None] = field(default_factory=dict)


class Node:
    """Serves as Redis and Valkey do: runs what has come in turn, syncs the disk, then answers all of it.

    That is a cycle, and what comes meanwhile waits for the next. `sync` is seconds, 0 where nobody waits
    for the disk; `delay` is seconds on the way, each way.
    """

    def __init__(self, clock: Clock, costs: Server, *, sync: float, delay: float, speed: float = 1.0) -> None:
        self.asked = 0
        """Jobs that somebody has wanted to submit, be they stored or on their way."""
        self.claimed, self.claims = 0, 0
        self.settled, self.settles = 0, 0
        self._clock = clock
        self._costs = costs
        self._sync = sync
        self._delay = delay
        self._speed = speed
        self._core = Processor(clock)
        self._waiting = deque[Work]()
        self._serving = False

    @property
    def busy(self) -> float:
        """Seconds of its core so far."""
        return self._core.busy

    def submit(self, line: Line, jobs: int) -> None:
        """Submit so many now; a worker is woken when they are stored."""
        self.asked += jobs
        self._ask(lambda: self._take_in(line, jobs))

    def claim(self, line: Line, most: int, wake: Action, then: Taken, *, idle: bool) -> None:
        """Take up to `most`; with `idle` and where there is none, `wake` is called when there is one."""
        self._ask(lambda: self._hand_out(line, most, wake, then, idle))

    def settle(self, jobs: int, then: Action) -> None:
        """End so many."""
        self._ask(lambda: self._end(jobs, then))

    def _take_in(self, line: Line, jobs: int) -> tuple[float, Action]:
        line.jobs.extend([self._clock.now] * jobs)
        return self._costs.submit.of(jobs), self._word(line)

    def _hand_out(self, line: Line, most: int, wake: Action, then: Taken, idle: bool) -> tuple[float, Action]:
        line.idle.pop(wake, None)
        found = [line.jobs.popleft() for _ in range(min(most, len(line.jobs)))]
        self.claims += 1
        self.claimed += len(found)
        if idle and not found:
            line.idle[wake] = None
        pass_on = self._word(line) if line.jobs else _nothing

        def answer() -> None:
            pass_on()
            then(found)

        return self._costs.claim.of(len(found)), answer

    def _end(self, jobs: int, then: Action) -> tuple[float, Action]:
        self.settles += 1
        self.settled += jobs
        return self._costs.settle.of(jobs), then

    def _word(self, line: Line) -> Action:
        if not line.idle:
            return _nothing
        wake = next(iter(line.idle))
        del line.idle[wake]
        return wake

    def _ask(self, work: Work) -> None:
        def arrive() -> None:
            self._waiting.append(work)
            if not self._serving:
                self._serve()

        self._clock.after(self._delay, arrive)

    def _serve(self) -> None:
        """Begin a cycle with all that has come."""
        self._serving, cycle, self._waiting = True, self._waiting, deque[Work]()
        answers = list[Action]()

        def go_on() -> None:
            if not cycle:
                self._clock.after(self._sync, lambda: self._answer(answers))
                return
            micros, answer = cycle.popleft()()
            answers.append(answer)
            self._use(micros, go_on)

        self._use(self._costs.cycle, go_on)

    def _use(self, micros: float, then: Action) -> None:
        self._core.do(micros / 1e6 / self._speed, then)

    def _answer(self, answers: Sequence[Action]) -> None:
        for answer in answers:
            self._clock.after(self._delay, answer)
        self._serving = False
        if self._waiting:
            self._serve()


def _nothing() -> None:
    """Nobody is to be told."""
