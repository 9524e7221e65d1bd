"""`POST /v1/jobs/batch`: line by line, in order, while it is still being read."""

import json
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from http_api.helpers import GOOD, WITHIN, Site, check_members, check_problem, lines, served
from penstock.http import HttpLimits
from penstock.http.pipe import HIGH_WATER, STALL

NDJSON = "application/x-ndjson"
JSON = "application/json"


def good(number: int) -> dict[str, Any]:
    """A submission that can be told from others."""
    return {"job": "images.thumbnail", "args": {"path": f"{number}.png"}}


def array(*values: Any) -> bytes:
    """A JSON array; bytes are taken as they are."""
    return b"[" + b",\n".join(v if isinstance(v, bytes) else json.dumps(v).encode() for v in values) + b"]"


BOTH = pytest.mark.parametrize(("kind", "write"), [(NDJSON, lines), (JSON, array)], ids=["ndjson", "array"])
Write = Callable[..., bytes]


@BOTH
async def test_each_element_gets_one_result_in_order(site: Site, kind: str, write: Write) -> None:
    """Line n of the answer is about element n, and the job behind it has its arguments."""
    results = await site.batch(write(*map(good, range(1, 1201))), kind)
    assert [result["line"] for result in results] == list(range(1, 1201))
    assert all(set(result) == {"line", "id", "state", "trace_id"} for result in results)
    jobs = await site.jobs(results)
    assert [job.args["path"] for job in jobs] == [f"{number}.png" for number in range(1, 1201)]


@BOTH
async def test_bad_elements_do_not_keep_good_ones_from_being_stored(
    site: Site, kind: str, write: Write
) -> None:
    """Each bad one has the problem that it would have had alone."""
    results = await site.batch(
        write(
            good(1),
            b'{"job": "images.thumbnail", "args": {"path": 1}}',
            b'{"job": nonsense}',
            good(4),
            {"job": "no.such"},
            good(6) | {"queue": 'we"ird\\'},
            good(7) | {"args": {"path": "x" * 300_000}},
            b'{"job": "images.anything", "args": {"value": "\xff"}}',
            good(9) | {"other": "[,}"},
            good(10),
        ),
        kind,
    )
    assert [result["line"] for result in results] == list(range(1, 11))
    assert [result["line"] for result in results if "id" in result] == [1, 4, 10]
    assert [job.args["path"] for job in await site.jobs(results)] == ["1.png", "4.png", "10.png"]
    problems = {result["line"]: result["error"] for result in results if "error" in result}
    expected = {
        2: (422, "path"),
        3: (400, None),
        5: (422, "job"),
        6: (422, "queue"),
        7: (413, "args"),
        8: (400, None),
        9: (422, "other"),
    }
    assert {line: (p["status"], p.get("field")) for line, p in problems.items()} == expected
    for problem in problems.values():
        check_members(problem, problem["status"])


async def test_blank_lines_are_counted_but_not_answered(site: Site) -> None:
    """The numbers are those an editor shows; CRLF is as good as LF, and the last newline may lack."""
    first, last = json.dumps(good(1)).encode(), json.dumps(good(4)).encode()
    results = await site.batch(b"\n" + first + b"\r\n  \n" + last)
    assert [(result["line"], "id" in result) for result in results] == [(2, True), (4, True)]


@pytest.mark.parametrize(("kind", "body"), [(NDJSON, b""), (NDJSON, b"\n \n"), (JSON, b" [ ] ")])
async def test_an_empty_batch_has_an_empty_answer(site: Site, kind: str, body: bytes) -> None:
    """There is nothing wrong with it."""
    assert await site.batch(body, kind) == []


@pytest.mark.parametrize("size", [1, 7, 65_536])
@BOTH
async def test_it_does_not_matter_where_the_stream_is_cut(
    site: Site, kind: str, write: Write, size: int
) -> None:
    """Elements with every trap inside strings, in pieces of any size."""
    traps = ['a"b', "a\\", '\\"', "[{,}]", "é€😀", "\n", ""]
    body = write(*[{"job": "images.anything", "args": {"value": [trap, {trap: 1}]}} for trap in traps])

    async def pieces() -> AsyncGenerator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    results = await site.batch(pieces(), kind)
    assert [job.args["value"][0] for job in await site.jobs(results)] == traps


@pytest.mark.parametrize(
    ("body", "answered"),
    [
        (b'{"job": "images.anything"}', 0),
        (b"7", 0),
        (b"", 0),
        (b'[{"job": "images.anything"}, {"job": "ima', 1),
        (b'[{"job": "images.anything"}] and more', 1),
        (b'[{"job": "images.anything"}][]', 1),
    ],
)
async def test_what_is_no_array_ends_in_a_problem(site: Site, body: bytes, answered: int) -> None:
    """What was whole before the fault is stored and answered; the last result is the fault."""
    *stored, last = await site.batch(body, JSON)
    assert [("id" in result) for result in stored] == [True] * answered
    assert last["line"] == answered + 1
    check_members(last["error"], 400, type="urn:penstock:problem:malformed-json")


async def test_an_empty_element_of_an_array_is_malformed(site: Site) -> None:
    """Also the one behind a trailing comma."""
    results = await site.batch(b'[{"job": "images.anything"},,]', JSON)
    assert [result.get("error", {}).get("status") for result in results] == [None, 400, 400]


# --- keys -----------------------------------------------------------------------------------


async def test_a_batch_with_an_idempotency_key_may_be_sent_again(site: Site) -> None:
    """Every line takes effect once; a line that has changed is a conflict."""
    key = {"Idempotency-Key": "import-7"}
    first = await site.batch(lines(good(1), good(2)), **key)
    again = await site.batch(lines(good(1), good(3)), **key)
    assert again[0]["id"] == first[0]["id"]
    check_members(again[1]["error"], 409, field="Idempotency-Key")
    assert (await site.store.facts("media")).ready == 2


async def test_a_duplicate_says_so(site: Site) -> None:
    """By the unique key of the line."""
    results = await site.batch(lines(GOOD | {"unique_key": "a"}, GOOD | {"unique_key": "a"}))
    assert results[0]["id"] == results[1]["id"]
    assert "duplicate" not in results[0]
    assert results[1]["duplicate"] is True


# --- limits ---------------------------------------------------------------------------------


async def test_what_is_known_to_be_wrong_beforehand_is_refused_whole() -> None:
    """Content type, announced size and key are judged before a line is read."""
    async with served(Site(limits=HttpLimits(batch_body=100))) as site:
        check_problem(await site.http.post("/v1/jobs/batch", content=b"x"), 415, field="Content-Type")
        headers = {"Content-Type": NDJSON}
        check_problem(await site.http.post("/v1/jobs/batch", content=b" " * 101, headers=headers), 413)
        headers |= {"Idempotency-Key": "k" * 194}
        response = await site.http.post("/v1/jobs/batch", content=b"", headers=headers)
        check_problem(response, 422, field="Idempotency-Key")


async def test_a_line_over_the_limit_is_one_bad_line(site: Site) -> None:
    """It is not kept, and the lines around it are stored."""
    results = await site.batch(lines(good(1), b"x" * (3 * 1024 * 1024), good(3)))
    assert ["id" in result for result in results] == [True, False, True]
    check_members(results[1]["error"], 413)


async def test_an_array_element_over_the_limit_ends_the_batch() -> None:
    """What was whole before it is stored."""
    async with served(Site(limits=HttpLimits(line=200))) as site:
        results = await site.batch(array(good(1), good(2) | {"args": {"path": "x" * 300}}), JSON)
    assert ["id" in result for result in results] == [True, False]
    check_members(results[1]["error"], 413)


async def test_lines_over_the_limit_are_not_read() -> None:
    """The last result says how many are accepted; those have been stored."""
    async with served(Site(limits=HttpLimits(batch_lines=3))) as site:
        results = await site.batch(lines(*map(good, range(5))))
    assert ["id" in result for result in results] == [True, True, True, False]
    assert "3 lines" in results[3]["error"]["detail"]
    check_members(results[3]["error"], 413)


async def test_bytes_over_the_limit_are_not_read() -> None:
    """Also where no length was announced."""

    async def pieces() -> AsyncGenerator[bytes]:
        for number in range(100):
            yield lines(good(number))

    async with served(Site(limits=HttpLimits(batch_body=1000))) as site:
        *_, last = await site.batch(pieces())
    check_members(last["error"], 413)


async def test_a_client_that_stalls_is_told_and_let_go() -> None:
    """What had come by then is stored and answered."""
    async with served(Site(limits=HttpLimits(patience=0.05))) as site, connection(site) as stream:
        await stream.send_all(HEAD + chunk(lines(good(1))))
        received = await receive_until(stream, b"0\r\n\r\n")
    stored, stalled = results_in(received)
    assert "id" in stored
    check_members(stalled["error"], 408, type="urn:penstock:problem:stalled")


# --- the store goes away ----------------------------------------------------------------------


async def test_when_the_store_goes_away_the_rest_is_answered_with_503() -> None:
    """Acknowledged lines are reported; for the rest the store is not asked again and again."""
    async with served(Site(limits=HttpLimits(chunk_lines=10))) as site:
        site.store.submissions_until_unplugged = 2
        results = await site.batch(lines(*map(good, range(1, 49)), {"job": "no.such"}, good(50)))
        assert len(results) == 50
        assert all("id" in result for result in results[:20])
        statuses = [result["error"]["status"] for result in results[20:]]
        assert statuses == [503] * 28 + [422, 503]
        check_members(results[20]["error"], 503, type="urn:penstock:problem:store-unavailable")
        assert site.store.submissions_until_unplugged == -1
        site.store.plugged = True
        assert len(await site.jobs(results)) == 20


# --- streaming --------------------------------------------------------------------------------

HEAD = (
    b"POST /v1/jobs/batch HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: application/x-ndjson\r\n\r\n"
)


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


@asynccontextmanager
async def connection(site: Site) -> AsyncGenerator[trio.SocketStream]:
    """A plain TCP connection to the site, closed at the end of the block."""
    async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        yield stream


async def receive_until(stream: trio.SocketStream, end: bytes) -> bytes:
    """Everything up to and including `end`."""
    received = b""
    with trio.fail_after(WITHIN):
        while end not in received:
            data = await stream.receive_some()
            assert data, received
            received += data
    return received


def results_in(received: bytes) -> list[Any]:
    """The result lines in a chunked answer (whole lines in each chunk)."""
    return [json.loads(line) for line in received.splitlines() if line.startswith(b"{")]


async def test_lines_are_answered_while_the_request_is_still_open(site: Site) -> None:
    """A client that sends one line at a time has its receipt before it sends the next."""
    async with connection(site) as stream:
        await stream.send_all(HEAD)
        for number in (1, 2, 3):
            await stream.send_all(chunk(lines(good(number))))
            received = await receive_until(stream, b'"line":%d' % number)
        await stream.send_all(b"0\r\n\r\n")
        received = await receive_until(stream, b"0\r\n\r\n")
    assert received
    assert (await site.store.facts("media")).ready == 3


async def test_a_client_that_disconnects_leaves_what_was_acknowledged(site: Site) -> None:
    """Its jobs stay, its half line is dropped, and the server goes on."""
    async with connection(site) as stream:
        await stream.send_all(HEAD + chunk(lines(good(1), good(2)) + b'{"job": "images.thum'))
        await receive_until(stream, b'"line":2')
    assert (await site.http.get("/healthz")).status_code == 200
    assert (await site.store.facts("media")).ready == 2


class Exchange:
    """One request driven straight through the ASGI app: what it takes and sends can be counted."""

    def __init__(self, site: Site, pieces: list[bytes]) -> None:
        self._app = site.app
        self._pieces = pieces
        self.taken = 0
        self.sent: list[bytes] = []
        self.gone = trio.Event()

    async def run(self) -> None:
        """Until the app has answered."""
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/v1/jobs/batch",
            "raw_path": b"/v1/jobs/batch",
            "query_string": b"",
            "headers": [(b"host", b"test"), (b"content-type", NDJSON.encode())],
        }
        await self._app(scope, self._receive, self._send)  # type: ignore[arg-type]

    async def _receive(self) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        if self.taken == len(self._pieces):
            await self.gone.wait()
            return {"type": "http.disconnect"}
        self.taken += 1
        more = self.taken < len(self._pieces)
        return {"type": "http.request", "body": self._pieces[self.taken - 1], "more_body": more}

    async def _send(self, message: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append(message.get("body", b""))

    @property
    def results(self) -> list[Any]:
        """The result lines so far."""
        return [json.loads(line) for line in b"".join(self.sent).splitlines()]


async def test_a_slow_store_slows_the_client() -> None:
    """While a chunk is being submitted, no more than the high-water mark is taken from the server."""
    site = Site()
    site.store.gate = trio.Event()
    pieces = [lines(*map(good, range(1000)))] * 100
    exchange = Exchange(site, pieces)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(exchange.run)
        await trio.testing.wait_all_tasks_blocked()
        waiting = exchange.taken * len(pieces[0])
        assert HIGH_WATER <= waiting <= 2 * HIGH_WATER + 2 * len(pieces[0])
        nursery.cancel_scope.cancel()


class Deaf(Exchange):
    """A client that takes the head of the answer and nothing more."""

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await trio.sleep_forever()


async def test_a_client_that_reads_late_does_not_stop_the_reading() -> None:
    """Results wait in memory, so that one who sends everything first does not lock both up."""
    site = Site()
    pieces = [lines(*map(good, range(100)))] * 100
    assert sum(map(len, pieces)) > 2 * HIGH_WATER
    exchange = Deaf(site, pieces)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(exchange.run)
        await trio.testing.wait_all_tasks_blocked()
        assert exchange.taken == len(pieces)
        assert (await site.store.facts("media")).ready == 10_000
        nursery.cancel_scope.cancel()


async def test_a_client_that_never_reads_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    """When its results have filled their bound and its body too, the request ends after a while."""
    site = Site(limits=HttpLimits(unsent_results=1000))
    exchange = Deaf(site, [lines(*map(good, range(1000)))] * 100)
    with trio.fail_after(10 * STALL):
        await exchange.run()
    assert trio.current_time() >= STALL
    assert exchange.taken < 100


async def test_a_batch_is_cancelled_with_its_client() -> None:
    """A disconnect ends the request even while the store hangs."""
    site = Site()
    site.store.gate = trio.Event()
    exchange = Exchange(site, [lines(good(1))])
    with trio.fail_after(WITHIN):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(exchange.run)
            await trio.testing.wait_all_tasks_blocked()
            exchange.gone.set()
    assert exchange.results == []


async def test_five_thousand_lines_take_bounded_memory() -> None:
    """20 MiB of lines, of which the server never holds more than a fraction."""
    site = Site()
    line = json.dumps({"job": "images.thumbnail", "args": {"path": 1}}).encode() + b" " * 4000 + b"\n"
    exchange = Exchange(site, [line * 16] * 312 + [line * 8])
    tracemalloc.start()
    try:
        await exchange.run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(exchange.results) == 5000
    assert all(result["error"]["field"] == "path" for result in exchange.results)
    assert peak < 6 * 1024 * 1024
