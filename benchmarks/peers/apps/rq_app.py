"""rq with hiredis: `enqueue_many`, and the worker that does not fork for each job."""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# ruff: noqa: ANN001
# The peer is installed in an environment of its own only, where no checker of ours looks.

import logging
import time
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker

_app: Any = None


def noop(number: int, seconds: float) -> None:
    """Found by its name, since a job is one."""
    if seconds:
        time.sleep(seconds)
    _app.tally.note()


class App:
    """A queue and a worker on it; one job at a time."""

    tally: Any  # set before a worker is started

    def __init__(self, url: str, at_once: int) -> None:
        global _app
        _app = self
        logging.getLogger("rq.worker").setLevel(
            logging.WARNING
        )  # a line for each job is not its fast setting
        self.redis = Redis.from_url(url)
        self.queue = Queue(connection=self.redis)

    def one(self, number: int, seconds: float) -> None:
        self.queue.enqueue(noop, number, seconds)

    def many(self, jobs: int, seconds: float) -> None:
        self.queue.enqueue_many([Queue.prepare_data(noop, (number, seconds)) for number in range(jobs)])

    def work(self, done) -> None:
        SimpleWorker([self.queue], connection=self.redis).work(burst=True, logging_level="WARNING")

    def stop(self) -> None:
        self.redis.close()
