"""A worker process as the engine has it: a fetcher, a buffer, consumers and a settler on one core."""

from collections import deque
from collections.abc import Callable

from benchmarks.planning.costs import Step
from benchmarks.planning.model.clock import Clock, Processor
from benchmarks.planning.model.node import Line, Node
from penstock.engine.consumer import BREATH
from penstock.engine.fetcher import MAX_CLAIM, MAX_IDLE, PREFETCH_SECONDS
from penstock.engine.settler import FLUSH
from penstock.engine.shift import MAX_PREFETCH


class Worker:
    """Takes jobs of one queue; `work` gives the seconds that a handler waits for others, not for the core.

    `started` hears of each job how long it waited, from when it was stored to when it started. `speed` is
    the share of a core that the worker gets.
    """

    def __init__(
        self,
        clock: Clock,
        node: Node,
        line: Line,
        cost: Step,
        *,
        work: Callable[[], float],
        started: Callable[[float], None],
        concurrency: int = 64,
        speed: float = 1.0,
    ) -> None:
        self.processor = Processor(clock)
        self.finished = 0
        self._clock, self._node, self._line = clock, node, line
        self._call, self._job = cost.call / 1e6 / speed, cost.job / 1e6 / speed
        self._work, self._started = work, started
        self._concurrency = concurrency
        self._buffer = deque[float]()
        self._running = 0
        self._ended = 0  # and not sent yet
        self._claiming = self._flushing = self._left_word = self._turning = False
        self._waits = 0  # so far
        self._rate, self._counted, self._since = 0.0, 0, 0.0

    def fetch(self) -> None:
        """Claim when the core comes to it, if there is no claim under way."""
        if not (self._claiming or self._left_word):
            self._claiming = True
            self.processor.do(0.0, self._claim)

    def _claim(self) -> None:
        wanted = self._wanted()
        if wanted <= 0:
            self._claiming = False
            return
        idle = not self._full

        def claimed(stored: list[float]) -> None:
            self._claimed(stored, idle)

        self.processor.do(
            self._call, lambda: self._node.claim(self._line, wanted, self._woken, claimed, idle=idle)
        )

    @property
    def _full(self) -> bool:
        return self._running + len(self._buffer) >= self._concurrency

    def _wanted(self) -> int:
        prefetch = min(MAX_PREFETCH * self._concurrency, int(self._pace() * PREFETCH_SECONDS))
        if len(self._buffer) > prefetch // 2:
            return 0
        return min(MAX_CLAIM, self._concurrency + prefetch - self._running - len(self._buffer))

    def _pace(self) -> float:
        elapsed = self._clock.now - self._since
        if elapsed >= PREFETCH_SECONDS:
            self._rate = (self.finished - self._counted) / elapsed
            self._counted, self._since = self.finished, self._clock.now
        return self._rate

    def _claimed(self, stored: list[float], left_word: bool) -> None:
        self._claiming = False
        self._buffer.extend(stored)
        self._go_on()
        if left_word and not stored:
            self._wait()
        elif stored or not self._full:
            self.fetch()

    def _wait(self) -> None:
        """For word that there is work, and so long at most."""
        self._left_word, self._waits = True, self._waits + 1
        this = self._waits
        self._clock.after(MAX_IDLE, lambda: self._woken() if self._waits == this else None)

    def _woken(self) -> None:
        if not self._left_word:
            return
        self._left_word = False
        self.fetch()

    def _go_on(self) -> None:
        """Have consumers look into the buffer when the core comes to it."""
        if not self._turning:
            self._turning = True
            self.processor.do(0.0, self._turn)

    def _turn(self) -> None:
        """Run a few jobs; then claims and settlements that have come get the core before the next few."""
        few = min(BREATH, len(self._buffer), self._concurrency - self._running)
        for _ in range(few):
            self._begin(self._buffer.popleft())
        self._turning = few > 0
        if self._turning:
            self.processor.do(0.0, self._turn)

    def _begin(self, stored: float) -> None:
        self._running += 1

        def handled() -> None:
            self._started(self._clock.now - self._job - stored)
            self._clock.after(self._work(), self._end)

        self.processor.do(self._job, handled)

    def _end(self) -> None:
        self._running -= 1
        self._ended += 1
        self.finished += 1
        self._go_on()
        self._flush()
        self.fetch()

    def _flush(self) -> None:
        if not self._flushing and self._ended:
            self._flushing = True
            self.processor.do(self._call, self._send)

    def _send(self) -> None:
        """Whatever has ended by now goes along."""
        batch = min(FLUSH, self._ended)
        self._ended -= batch
        self._node.settle(batch, self._acknowledged)

    def _acknowledged(self) -> None:
        self._flushing = False
        self._flush()
