"""The simulation of a cell, where arithmetic says what must come out."""

from functools import partial

from benchmarks.planning.costs import Server, Step
from benchmarks.planning.model.cell import Cell, Seen, simulate
from benchmarks.planning.model.clock import Clock, Processor
from benchmarks.planning.model.node import Line, Node
from benchmarks.planning.sizing import unevenness

FREE = Server(0, Step(0, 0), Step(0, 0), Step(0, 0))
CHEAP = Server(10, Step(20, 5), Step(20, 5), Step(20, 10))
JOB = Step(call=0, job=100)  # 10,000 a second fill a core


def near(value: float, expected: float, part: float = 0.05) -> bool:
    return abs(value - expected) <= part * expected


def test_things_happen_in_the_order_of_their_time() -> None:
    """Of two that are due at once, the one that was planned first."""
    clock, seen = Clock(), list[str]()
    for seconds, name in ((2.0, "c"), (1.0, "a"), (1.0, "b"), (9.0, "never")):
        clock.after(seconds, partial(seen.append, name))
    clock.run(5.0)
    assert (seen, clock.now) == (["a", "b", "c"], 5.0)


def test_a_core_does_one_thing_after_the_other() -> None:
    """What comes while it is busy waits, and all of it is counted."""
    clock, ends = Clock(), list[float]()
    core = Processor(clock)
    for _ in range(3):
        core.do(2.0, lambda: ends.append(clock.now))
    clock.run(10.0)
    assert (ends, core.busy) == ([2.0, 4.0, 6.0], 6.0)


def test_what_is_in_line_has_not_kept_a_core_busy_yet() -> None:
    """Or a core could be more than busy."""
    clock = Clock()
    core = Processor(clock)
    core.do(10.0, lambda: None)
    clock.run(4.0)
    assert core.busy == 4.0


def test_calls_in_one_cycle_share_its_price() -> None:
    """Waking is paid once; each of them still has its own."""
    clock, ends = Clock(), list[float]()
    node = Node(clock, Server(1e6, Step(0, 0), Step(0, 0), Step(1e6, 0)), sync=0.0, delay=0.0)
    for at in (0.0, 0.5, 0.9):
        clock.after(at, lambda: node.settle(1, lambda: ends.append(clock.now)))
    clock.run(10.0)
    assert ends == [2.0, 5.0, 5.0]
    assert node.busy == 5.0


def test_what_comes_during_a_cycle_waits_for_the_next() -> None:
    """And the disk syncs once for all that are in one."""
    clock, ends = Clock(), list[float]()
    node = Node(clock, FREE, sync=1.0, delay=0.0)
    for at in (0.0, 0.5, 0.9):
        clock.after(at, lambda: node.settle(1, lambda: ends.append(clock.now)))
    clock.run(10.0)
    assert ends == [1.0, 2.0, 2.0]


def test_who_waits_longest_is_woken_and_nobody_who_has_work() -> None:
    """Having been handed a job, a worker is not in line to be woken any more."""
    clock, woken, line = Clock(), list[str](), Line()
    node = Node(clock, FREE, sync=0.0, delay=0.0)
    words = {name: partial(woken.append, name) for name in ("first", "second", "third")}

    def claim(name: str) -> None:
        node.claim(line, 1, words[name], lambda _: None, idle=True)
        clock.run(clock.now + 1)

    for name in words:
        claim(name)
    line.jobs.append(clock.now)
    claim("first")
    for _ in range(4):
        node.submit(line, 1)
        clock.run(clock.now + 1)
    assert woken == ["second", "third"]


def test_a_worker_on_a_backlog_fills_its_core() -> None:
    """With a server that costs nothing it does as many jobs as its core has room for."""
    seen = simulate(Cell(rate=0, workers=1), FREE, JOB)
    assert near(seen.rate, 10_000)
    assert near(seen.worker, 1.0)


def test_a_share_of_a_core_does_a_share_of_the_work() -> None:
    """For validation on machines that have fewer cores than there are processes."""
    seen = simulate(Cell(rate=0, workers=1, speeds=(1.0, 0.5)), FREE, JOB)
    assert near(seen.rate, 5_000)


def test_more_workers_do_more_until_the_server_is_full() -> None:
    """Its core is the limit then: claims and settlements cost it 15 µs a job, and a little for the calls."""
    two, many = (simulate(Cell(rate=0, workers=workers), CHEAP, JOB, seconds=1.0) for workers in (2, 12))
    assert near(two.rate, 20_000)
    assert near(many.server, 1.0)
    assert 50_000 < many.rate < 1e6 / 15


def test_what_comes_in_goes_out() -> None:
    """Below saturation the rate is that of submissions, and cores are busy by rate times cost."""
    seen = simulate(Cell(rate=5_000, workers=2), CHEAP, JOB, seconds=4.0)
    assert near(seen.rate, 5_000)
    assert near(seen.worker, 0.25)
    assert not seen.growing


def test_beyond_its_ceiling_a_queue_grows() -> None:
    """However many workers there are, and however far beyond: what the server has not got to counts."""
    for rate in (30_000, 500_000):
        seen = simulate(Cell(rate=rate, workers=10), CHEAP, JOB, seconds=0.1)
        assert seen.growing
        assert near(seen.server, 1.0)
    assert simulate(Cell(rate=30_000, workers=40), CHEAP, JOB, seconds=1.0).growing
    assert simulate(Cell(rate=30_000, workers=1, batch=100), CHEAP, JOB, seconds=1.0).growing


def test_batches_make_room() -> None:
    """A hundred in one call cost the server less than a hundred calls."""
    single, batched = (simulate(Cell(rate=8_000, workers=3, batch=n), CHEAP, JOB) for n in (1, 100))
    assert batched.server < 0.5 * single.server


def test_handlers_that_wait_need_places_not_cores() -> None:
    """64 places and 100 ms a job are 640 jobs a second, on a core that has little to do."""
    seen = simulate(Cell(rate=0, workers=1, work=0.1), FREE, JOB, seconds=5.0)
    assert near(seen.rate, 640)
    assert seen.worker < 0.1


def test_a_disk_that_is_waited_for_is_in_every_wait() -> None:
    """Submission and claim each wait for it."""
    lazy, syncing = (
        simulate(Cell(rate=500, workers=2, sync=sync), CHEAP, JOB, seconds=5.0) for sync in (0.0, 0.005)
    )
    assert lazy.median < 0.002
    assert syncing.median > 0.008


def test_the_same_seed_gives_the_same() -> None:
    """So that the page changes only when something has."""

    def once(seed: int) -> Seen:
        return simulate(Cell(rate=3_000, workers=2), CHEAP, JOB, seconds=0.5, seed=seed)

    assert once(1) == once(1) != once(2)


def test_many_queues_are_spread_more_evenly() -> None:
    """One a server is the worst; the law of large numbers does the rest."""
    few, some, many = (unevenness(10, queues) for queues in (10, 100, 1000))
    assert few > some > many > 1.0
