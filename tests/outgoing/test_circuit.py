"""A host that fails again and again is left alone, then asked by one request at a time."""

import time

import httpx
import pytest
import trio
from trio.testing import MockClock

from outgoing.rig import Script, client, heard
from penstock.engine.events import CircuitClosed, CircuitOpened, Observers
from penstock.engine.outgoing import CircuitOpen, HttpClient, HttpFailed, HttpSettings
from penstock.engine.outgoing.circuit import _MOST, Circuits
from penstock.engine.outgoing.measures import CIRCUIT
from penstock.engine.seams import Seams
from support.work import Ears

URL = "https://api.example.com/things"
BUSY, OK = httpx.Response(503), httpx.Response(200)


async def _asked(http: HttpClient, times: int, url: str = URL) -> None:
    for _ in range(times):
        await http.get(url)


def _breaker(script: Script) -> HttpClient:
    return client(script, retries=0, failures_to_open=3, open_for=30.0, measured_hosts=("api.example.com",))


async def test_after_failures_in_a_row_nothing_is_sent_and_the_error_says_until_when(
    autojump_clock: MockClock,
) -> None:
    """Since when, too, and after how many."""
    script, before = Script(BUSY), time.time()
    http = _breaker(script)
    await _asked(http, 3)
    await trio.sleep(10)
    with pytest.raises(
        CircuitOpen, match=r"api\.example\.com:443 is open since 2.*Z, after 3 failures, until 2.*Z"
    ) as caught:
        await http.get(URL)
    assert len(script.asked) == 3
    assert caught.value.remaining == 20.0
    assert before <= caught.value.since <= time.time()


async def test_every_sort_of_failure_counts_and_a_success_between_begins_anew(
    autojump_clock: MockClock,
) -> None:
    """A 404 or a 429 is a success: the host is well."""
    script = Script(BUSY, httpx.ReadError("x"), httpx.Response(404), BUSY, httpx.Response(500), OK)
    http = _breaker(script)
    await http.get(URL)
    with pytest.raises(HttpFailed):
        await http.get(URL)
    await _asked(http, 4)
    assert len(script.asked) == 6


async def test_a_host_is_not_answerable_for_another(autojump_clock: MockClock) -> None:
    """Nor for another port of its own."""
    http = _breaker(Script(BUSY))
    await _asked(http, 3)
    for url in ("https://other.org/", "https://api.example.com:8443/"):
        assert (await http.get(url)).status == 503


async def test_one_probe_at_a_time_closes_it_again(autojump_clock: MockClock) -> None:
    """Others are refused until it has ended."""
    gate = trio.Event()

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await gate.wait()
            return httpx.Response(200)

    http = _breaker(Script(BUSY))
    await _asked(http, 3)
    await trio.sleep(30)
    http._attempts._transport = Slow()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(http.get, URL)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(CircuitOpen, match="until the probe that is under way has ended"):
            await http.get(URL)
        gate.set()
    await _asked(http, 2)


async def test_a_probe_that_fails_opens_it_for_as_long_again(autojump_clock: MockClock) -> None:
    """It is open since the beginning."""
    http = _breaker(Script(BUSY))
    await _asked(http, 3)
    await trio.sleep(30)
    await http.get(URL)
    with pytest.raises(CircuitOpen, match="after 4 failures") as caught:
        await http.get(URL)
    assert caught.value.remaining == 30.0


async def test_a_probe_that_is_cancelled_leaves_its_place_to_the_next(autojump_clock: MockClock) -> None:
    """Else the host would be left alone for ever."""

    class Stuck(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await trio.sleep_forever()
            raise AssertionError

    script = Script(BUSY, BUSY, BUSY, OK)
    http = _breaker(script)
    await _asked(http, 3)
    await trio.sleep(30)
    http._attempts._transport = Stuck()
    with trio.CancelScope() as scope:
        scope.cancel()
        await http.get(URL)
    http._attempts._transport = script.transport
    assert (await http.get(URL)).ok


async def test_the_gauge_tells_of_circuits_that_are_open_or_half_open(autojump_clock: MockClock) -> None:
    """By host and state; closing the client takes its part away."""
    with heard(CIRCUIT) as gauge:
        async with _breaker(Script(BUSY)) as http:
            await _asked(http, 3)
            assert gauge == {("api.example.com", "open"): 1}
            await trio.sleep(30)
            await http.get(URL)
            assert gauge == {("api.example.com", "open"): 1, ("api.example.com", "half_open"): 0}
        assert set(gauge.values()) == {0}


async def test_as_many_failing_hosts_as_there_may_be_are_remembered(autojump_clock: MockClock) -> None:
    """A job that is given addresses by strangers cannot fill the memory with them."""
    circuits = Circuits(failures_to_open=1, open_for=30.0)
    with heard(CIRCUIT) as gauge:
        for number in range(_MOST + 50):
            with circuits.enter(f"h{number}:443", "__other__") as passage:
                passage.well = False
    assert len(circuits._circuits) == _MOST
    assert gauge == {("__other__", "open"): _MOST}


async def test_a_request_that_began_before_it_opened_neither_closes_nor_prolongs_it(
    autojump_clock: MockClock,
) -> None:
    """Only the probe is asked."""
    circuits = Circuits(failures_to_open=1, open_for=30.0)
    late_well, late_ill = circuits.enter("h:1", "h"), circuits.enter("h:1", "h")
    with circuits.enter("h:1", "h") as passage:
        passage.well = False
    await trio.sleep(20)
    with late_well:
        late_well.well = True
    with late_ill:
        late_ill.well = False
    with pytest.raises(CircuitOpen) as caught:
        circuits.enter("h:1", "h")
    assert caught.value.remaining == 10.0


async def test_who_listens_is_told_when_a_circuit_opens_and_when_it_closes(autojump_clock: MockClock) -> None:
    """Once each, however often the probe fails in between; nothing of a host that is well."""
    ears = Ears()
    script = Script(BUSY, BUSY, BUSY, BUSY, OK)
    settings = HttpSettings(retries=0, failures_to_open=3, open_for=30.0)
    http = HttpClient(settings, Seams(Observers(ears)), transport=script.transport)
    await _asked(http, 3)
    await trio.sleep(30)
    await _asked(http, 1)
    await trio.sleep(30)
    await _asked(http, 1)
    host = "api.example.com:443"
    assert ears.heard == [CircuitOpened(host, 3, 30.0), CircuitClosed(host, 4)]
