"""Samples say what the time of a thread goes into."""

import time

import trio

from benchmarks.costs.purposes import HANDLER, REDIS, RUN, SPANS, TRIO, purpose_of
from benchmarks.costs.sampler import Sampler

CPU = 0.2  # seconds of it that are sampled


def burn(seconds: float) -> None:
    """Use the processor."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_a_file_has_the_purpose_of_its_place() -> None:
    """The standard library has none of its own."""
    root = "/x/engine/penstock/engine"
    assert purpose_of(f"{root}/transport/wire.py") == REDIS
    assert purpose_of(f"{root}/runner.py") == RUN
    assert purpose_of("/x/telemetry/penstock/telemetry/traces/span.py") == SPANS
    assert purpose_of(str(trio.__file__)) == TRIO
    assert purpose_of("/x/benchmarks/drain.py") == HANDLER
    assert purpose_of(time.__name__) is None


def test_what_runs_is_seen_and_what_it_costs_is_counted() -> None:
    """A sample every two milliseconds of CPU; all of it is this file's, which lies beside the benchmarks'."""
    sampler = Sampler()
    with sampler.sampling():
        _in_benchmarks(CPU)
    assert sampler.purposes.total() >= CPU / 0.002 / 4  # a swamped machine delivers fewer
    assert set(sampler.purposes) == {HANDLER}
    assert sampler.main_thread >= CPU * 0.9
    assert sampler.process >= sampler.main_thread * 0.9


# Code that says it is a benchmark's: what it calls in this file counts as its own.
_SPACE: dict[str, object] = {"burn": burn}
exec(compile("def run(seconds): burn(seconds)", "/x/benchmarks/some.py", "exec"), _SPACE)


def _in_benchmarks(seconds: float) -> None:
    run = _SPACE["run"]
    assert callable(run)
    run(seconds)
