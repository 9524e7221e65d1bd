"""Those who submit while everything is replaced, and what they were answered."""

import random
import time
from http import HTTPStatus

import msgspec
import trio

from benchmarks.rolling.applications import stamp
from benchmarks.rolling.balancer import Balancer
from benchmarks.rolling.connection import Answer, Unanswered
from penstock.engine import Client, Receipt

GIVE_UP = 20.0
"""Seconds after which a submission that nobody took is given up, and counted."""
PAUSE = 0.05
"""Seconds from a refusal to the next try: the balancer chooses anew."""
LONGEST_JOB = 0.2
"""Seconds; so that every worker that is told to end has some at hand."""

TAKEN = ("202", "200")
RETRYABLE = "503 with Retry-After"


class Submission(msgspec.Struct):
    """One submission over HTTP. Times are seconds since the epoch."""

    intended: float
    """When it was to be made, whether or not the ones before were through."""
    answers: list[str] = []
    """Of every try: a status, or how there was none."""
    id: str | None = None
    answered: float = 0.0
    """When it was acknowledged."""


class Submitters:
    """Submit at random moments, `rate` a second on average, whatever becomes of those before."""

    def __init__(self, balancer: Balancer, rng: random.Random, rate: float) -> None:
        self.submissions: list[Submission] = []
        self._balancer = balancer
        self._rng = rng
        self._rate = rate

    async def run(self, ending: trio.Event) -> None:
        """Submit until `ending` is set, and then until every submission is through."""
        async with trio.open_nursery() as nursery:
            due = trio.current_time()
            while not ending.is_set():
                due += self._rng.expovariate(self._rate)
                await trio.sleep_until(due)
                submission = Submission(time.time() - (trio.current_time() - due))
                self.submissions.append(submission)
                nursery.start_soon(self.submit, submission, f"rolling-{len(self.submissions)}")

    async def submit(self, submission: Submission, key: str) -> None:
        """Try until somebody takes it, or it is given up; `key` makes sure that it is taken once."""
        seconds = round(self._rng.uniform(0, LONGEST_JOB), 3)
        body = msgspec.json.encode({"job": "shop.resize", "args": {"seconds": seconds}})
        with trio.move_on_after(GIVE_UP):
            while submission.id is None:
                answer = await self._try(key, body)
                submission.answers.append(_word(answer))
                if isinstance(answer, Answer) and submission.answers[-1] in TAKEN:
                    submission.id = msgspec.json.decode(answer.body)["id"]
                    submission.answered = time.time()
                else:
                    await trio.sleep(PAUSE)

    async def _try(self, key: str, body: bytes) -> Answer | str:
        try:
            connection = await self._balancer.connection()
        except OSError:
            return "connection refused"
        try:
            headers = {"Content-Type": "application/json", "Idempotency-Key": key}
            answer = await connection.post("/v1/jobs", headers, body)
        except Unanswered:
            connection.close()
            return "connection closed without an answer"
        except trio.Cancelled:
            connection.close()
            raise
        self._balancer.give_back(connection)
        return answer


def _word(answer: Answer | str) -> str:
    if isinstance(answer, str):
        return answer
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE and "retry-after" in answer.headers:
        return RETRYABLE
    return str(answer.status)


async def submit_newcomers(
    client: Client, ending: trio.Event, receipts: list[Receipt], *, pause: float = 0.1
) -> None:
    """Submit jobs that only the newer version knows, from Python, until `ending`."""
    while not ending.is_set():
        receipts.append(await client.submit(stamp, len(receipts)))
        await trio.sleep(pause)
