"""dramatiq with hiredis and 8 threads, its default: more are slower, since they share the interpreter."""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# ruff: noqa: ANN001
# The peer is installed in an environment of its own only, where no checker of ours looks.

import time
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

THREADS = 8


class App:
    """A broker and a worker on it."""

    tally: Any  # set before a worker is started

    def __init__(self, url: str, at_once: int) -> None:
        self.broker = RedisBroker(url=url)
        dramatiq.set_broker(self.broker)

        @dramatiq.actor(broker=self.broker, actor_name="noop")
        def noop(number: int, seconds: float) -> None:
            if seconds:
                time.sleep(seconds)
            self.tally.note()

        self.noop = noop

    def one(self, number: int, seconds: float) -> None:
        self.noop.send(number, seconds)

    def many(self, jobs: int, seconds: float) -> None:
        for number in range(jobs):
            self.noop.send(number, seconds)

    def work(self, done) -> None:
        self.worker = dramatiq.Worker(self.broker, worker_threads=THREADS)
        self.worker.start()

    def stop(self) -> None:
        self.worker.stop()
        self.broker.close()
