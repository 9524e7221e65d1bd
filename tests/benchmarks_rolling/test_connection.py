"""What a submitter of the rolling update hears, and what it only believes to hear."""

import random
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from benchmarks.rolling.balancer import Balancer
from benchmarks.rolling.connection import Connection, Unanswered
from benchmarks.rolling.submitters import RETRYABLE, Submission, Submitters

TAKEN = b"HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\n" + b'{"id":"a"}'
LAST = TAKEN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
RETRY = b"HTTP/1.1 503 Not now\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n"
BARE = RETRY.replace(b"Retry-After: 2\r\n", b"")


class Fake:
    """A server that gives one answer after the other, empty for none at all, whatever it is asked."""

    def __init__(self, *answers: bytes) -> None:
        self.connections = 0
        self._answers = list(answers)

    async def start(self, nursery: trio.Nursery) -> int:
        """Gives its port."""
        listeners = await nursery.start(
            partial(trio.serve_tcp, self._serve, 0, host="127.0.0.1", handler_nursery=nursery)
        )
        port: int = listeners[0].socket.getsockname()[1]
        return port

    async def _serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        async with stream:
            while request := await stream.receive_some():
                if request.startswith(b"GET /readyz"):
                    return await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                answer = self._answers.pop(0)
                await stream.send_all(answer)
                if not answer or b"Connection: close" in answer:
                    return None
        return None


async def test_a_connection_that_ends_before_the_answer_is_told() -> None:
    """It is no answer, and no refusal either."""
    async with trio.open_nursery() as nursery:
        connection = await Connection.open(await Fake(b"").start(nursery))
        with pytest.raises(Unanswered):
            await connection.post("/v1/jobs", {}, b"{}")
        connection.close()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("answer", "stale"), [(TAKEN, False), (LAST, True)])
async def test_what_the_server_closes_is_not_used_again(answer: bytes, stale: bool) -> None:
    """An answer that closes its connection is an answer; the next request needs another connection."""
    async with trio.open_nursery() as nursery:
        connection = await Connection.open(await Fake(answer).start(nursery))
        assert (await connection.post("/v1/jobs", {}, b"{}")).status == 202
        assert connection.stale is stale
        connection.close()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("answers", "heard"),
    [
        ([TAKEN], ["202"]),
        ([RETRY, TAKEN], [RETRYABLE, "202"]),
        ([BARE, TAKEN], ["503", "202"]),
        ([b"", TAKEN], ["connection closed without an answer", "202"]),
    ],
)
async def test_every_answer_of_a_submission_is_noted(answers: list[bytes], heard: list[str]) -> None:
    """Only a 503 that says when to come again is told apart as retryable."""
    assert await answers_from(Fake(*answers)) == heard


async def test_a_refused_connection_is_noted() -> None:
    """Nobody is ready at first: the submission is refused, and made again when somebody is."""
    heard = await answers_from(Fake(TAKEN), known=False)
    assert (heard[0], heard[-1]) == ("connection refused", "202")


async def answers_from(server: Fake, *, known: bool = True) -> list[str]:
    """The answers to one submission; `known` says whether the balancer knows the server beforehand."""
    balancer, submission = Balancer(random.Random(1)), Submission(0.0)
    async with trio.open_nursery() as nursery:
        port = await server.start(nursery)
        if known:
            nursery.start_soon(balancer.watch, port)
            await wait_all_tasks_blocked()
        async with trio.open_nursery() as load:
            load.start_soon(Submitters(balancer, random.Random(1), 1.0).submit, submission, "key")
            while not known and not submission.answers:
                await wait_all_tasks_blocked()
            if not known:
                nursery.start_soon(balancer.watch, port)
        balancer.close()
        nursery.cancel_scope.cancel()
    return submission.answers
