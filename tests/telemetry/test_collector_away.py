"""A collector that is gone, slow or silent costs the jobs nothing: no time and, in the end, no memory."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from penstock.telemetry.export.thread import Limits
from support.otlp_receiver import otlp_receiver
from support.redis_server import valkey_server

ROOT = Path(__file__).parents[2]
JOBS, ROUNDS = 2_500, 14
SPANS_A_JOB = 2  # at least: a trace of its own has a root beside them
SLOWNESS = 0.5  # seconds before a slow collector answers


@contextmanager
def refused() -> Generator[str]:
    """Nobody listens."""
    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unbound.getsockname()[1]}"


@contextmanager
def black_hole() -> Generator[str]:
    """Takes connections and whatever is sent, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


@contextmanager
def slow() -> Generator[str]:
    """Answers each request late."""
    with otlp_receiver() as receiver:
        receiver.keeps = False
        receiver.late = SLOWNESS
        yield receiver.endpoint


@contextmanager
def healthy() -> Generator[str]:
    """Answers at once."""
    with otlp_receiver() as receiver:
        receiver.keeps = False
        yield receiver.endpoint


@pytest.fixture(scope="module")
def drained() -> dict[str, Any]:
    """What a process that drains jobs with each collector in turn has to say."""
    with ExitStack() as stack:
        redis = stack.enter_context(valkey_server())
        kinds = {"healthy": healthy(), "refused": refused(), "slow": slow(), "black hole": black_hole()}
        endpoints = {name: stack.enter_context(kind) for name, kind in kinds.items()}
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "telemetry.draining",
                redis.url,
                str(JOBS),
                str(ROUNDS),
                json.dumps(endpoints),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}"},
            stdout=subprocess.PIPE,
            timeout=300,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def summary(found: dict[str, Any]) -> str:
    """The figures, for whom a failure has to be explained to."""
    cost = {name: round(median(each), 1) for name, each in found["cost"].items()}
    mebibytes = [size >> 20 for size in found["memory"]]
    return f"µs of CPU a job: {cost}; MiB after each round: {mebibytes}; spans lost: {found['lost']}"


@pytest.mark.alone
@pytest.mark.parametrize("collector", ["refused", "slow", "black hole"])
def test_jobs_cost_no_more_than_with_a_collector_that_answers(
    drained: dict[str, Any], collector: str
) -> None:
    """CPU of the whole process: at most a tenth more than beside it, by the median of what rounds differ.

    Not by the best round of each: one that happened to be quick is nobody's cost.
    """
    cost = drained["cost"]
    ratios = [one / other for one, other in zip(cost[collector], cost["healthy"], strict=True)]

    assert median(ratios) <= 1.10, summary(drained)


@pytest.mark.alone
def test_memory_does_not_grow_once_the_buffers_are_full(drained: dict[str, Any]) -> None:
    """After half of the rounds nothing fits in any more; the second half, as much again, adds nothing."""
    buffer = Limits().spans + Limits().batch
    assert 1.8 * buffer < JOBS * ROUNDS * SPANS_A_JOB
    assert drained["lost"]["black hole"]["queue_full"] > buffer
    memory = drained["memory"]
    full = next(number for number in range(ROUNDS) if JOBS * (number + 1) * SPANS_A_JOB > buffer)

    assert max(memory[full + 1 :]) - memory[full] < 8 * 1024 * 1024, summary(drained)
