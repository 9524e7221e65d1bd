"""celery with hiredis: results ignored, 64 prefetched as its guide advises for short tasks, threads."""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# ruff: noqa: ANN001
# The peer is installed in an environment of its own only, where no checker of ours looks.

import threading
import time
from typing import Any

from celery import Celery

FORKED = True


class App:
    """An app and a worker of it in a thread."""

    tally: Any  # set before a worker is started

    def __init__(self, url: str, at_once: int) -> None:
        self.app = Celery("bench", broker=url, set_as_current=False)
        self.app.conf.update(
            task_ignore_result=True,
            worker_prefetch_multiplier=64,
            worker_send_task_events=False,
            worker_hijack_root_logger=False,
            worker_redirect_stdouts=False,
            broker_connection_retry_on_startup=True,
        )
        self.at_once = at_once

        @self.app.task(name="noop")
        def noop(number: int, seconds: float) -> None:
            if seconds:
                time.sleep(seconds)
            self.tally.note()

        self.noop = noop

    def one(self, number: int, seconds: float) -> None:
        self.noop.delay(number, seconds)

    def many(self, jobs: int, seconds: float) -> None:
        with self.app.producer_pool.acquire(block=True) as producer:
            for number in range(jobs):
                self.noop.apply_async((number, seconds), producer=producer)

    def work(self, done) -> None:
        self.worker = self.app.Worker(
            pool="threads",
            concurrency=self.at_once,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        self.thread = threading.Thread(target=self.worker.start, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """It goes with its process."""
