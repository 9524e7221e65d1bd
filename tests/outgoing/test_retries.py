"""What is sent once more, when, and for how long; on a virtual clock."""

import email.utils
import time

import httpx
import pytest
import trio
from trio.testing import MockClock

from outgoing.rig import Script, Told, client, heard
from penstock.engine.outgoing import (
    HttpFailed,
    HttpStatusError,
    HttpTimeout,
    TooManyRedirects,
)
from penstock.engine.outgoing.measures import RETRIES

URL = "https://api.example.com/things"
BUSY, OK = httpx.Response(503), httpx.Response(200, json={"a": 1})


async def test_an_idempotent_request_is_sent_again_after_backoff(autojump_clock: MockClock) -> None:
    """Twice by default; the waits are those of the settings' backoff."""
    script = Script(BUSY, httpx.ConnectError("away"), OK)
    with heard(RETRIES) as retries:
        response = await client(script, measured_hosts=(".example.com",)).get(URL)
    assert response.json() == {"a": 1}
    assert (len(script.asked), trio.current_time()) == (3, 1.0 + 2.0)
    assert retries == {(".example.com", "GET"): 2}


@pytest.mark.parametrize("method", ["POST", "PATCH", "LOCK"])
async def test_what_may_not_be_repeated_is_sent_once(method: str, autojump_clock: MockClock) -> None:
    """Its answer is the caller's, whatever it is."""
    script = Script(BUSY)
    assert (await client(script).request(method, URL)).status == 503
    assert len(script.asked) == 1


async def test_who_asks_for_it_has_a_post_repeated(autojump_clock: MockClock) -> None:
    """And a GET sent once, the other way round."""
    script = Script(BUSY, OK)
    assert (await client(script).post(URL, retry=True, json=[1])).ok
    assert [request.content for request in script.asked] == [b"[1]", b"[1]"]
    script = Script(BUSY, OK)
    assert (await client(script).get(URL, retry=False)).status == 503


async def test_when_attempts_are_used_up_the_last_ending_is_the_callers(autojump_clock: MockClock) -> None:
    """An answer is returned, and judged by `raise_for_status`; without one the network's reason is raised."""
    response = await client(Script(BUSY)).get(URL)
    with pytest.raises(HttpStatusError, match=r"GET https://api\.example\.com/things: answered 503"):
        response.raise_for_status()
    with pytest.raises(HttpFailed, match="no route"):
        await client(Script(httpx.ConnectError("no route"))).get(URL)


@pytest.mark.parametrize("status", [400, 404, 409, 500, 501])
async def test_an_answer_that_would_be_the_same_again_is_not_asked_for(
    status: int, autojump_clock: MockClock
) -> None:
    """Errors of the request, and of the host where they may be the request's doing."""
    script = Script(httpx.Response(status))
    assert (await client(script).get(URL)).status == status
    assert len(script.asked) == 1


async def test_retry_after_in_seconds_is_waited_out_and_backoff_with_it(autojump_clock: MockClock) -> None:
    """Not all who are told to come back at one time come at that time."""
    script = Script(httpx.Response(429, headers={"Retry-After": "7"}), OK)
    assert (await client(script).get(URL)).ok
    assert trio.current_time() == 7.0 + 1.0


async def test_retry_after_as_a_date_is_waited_out(autojump_clock: MockClock) -> None:
    """By this machine's clock."""
    date = email.utils.formatdate(time.time() + 20, usegmt=True)
    assert (await client(Script(httpx.Response(503, headers={"Retry-After": date}), OK)).get(URL)).ok
    assert 18.0 < trio.current_time() - 1.0 <= 20.0


async def test_a_garbled_retry_after_leaves_it_to_backoff(autojump_clock: MockClock) -> None:
    """As if there were none."""
    await client(Script(httpx.Response(503, headers={"Retry-After": "a while"}), OK)).get(URL)
    assert trio.current_time() == 1.0


async def test_a_pause_longer_than_allowed_is_not_waited_for(autojump_clock: MockClock) -> None:
    """The answer is the caller's at once, who may give the job back for so long."""
    script = Script(httpx.Response(503, headers={"Retry-After": "31"}), OK)
    response = await client(script, max_retry_after=30.0).get(URL)
    assert (response.status, response.headers["retry-after"], trio.current_time()) == (503, "31", 0.0)


async def test_no_wait_goes_past_the_time_for_all_attempts(autojump_clock: MockClock) -> None:
    """What is left is not slept away for nothing."""
    script = Script(BUSY)
    assert (await client(script, retries=50, total_timeout=10.0).get(URL)).status == 503
    assert (len(script.asked), trio.current_time()) == (4, 1 + 2 + 4)


async def test_no_wait_goes_past_the_jobs_time(autojump_clock: MockClock) -> None:
    """The job hears the answer, not its own cancellation."""
    with trio.fail_after(5.0):
        response = await client(Script(BUSY), retries=50).get(URL)
    assert (response.status, trio.current_time()) == (503, 1 + 2)


async def test_an_attempt_ends_before_the_jobs_time_does(autojump_clock: MockClock) -> None:
    """So that the error says who was slow."""

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await trio.sleep_forever()
            raise AssertionError

    script = Script(OK)
    script.transport = Silent()  # type: ignore[assignment]
    with trio.fail_after(3.0), pytest.raises(HttpTimeout, match=r"api\.example\.com/things: no whole answer"):
        await client(script, retries=0).get(URL)
    assert trio.current_time() == pytest.approx(2.9)
    with pytest.raises(HttpTimeout, match="within 10 s"):
        await client(script, retries=0).get(URL)


async def test_who_cancels_is_obeyed(autojump_clock: MockClock) -> None:
    """A cancellation is no failure to be tried again."""
    script = Script(BUSY)
    with trio.move_on_after(50) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client(script, retries=50, total_timeout=1e6).get, URL)
            await trio.sleep(2.5)
            nursery.cancel_scope.cancel()
    assert not scope.cancelled_caught
    assert (len(script.asked), trio.current_time()) == (2, 2.5)


async def test_each_attempt_is_an_operation_that_counts_those_before(autojump_clock: MockClock) -> None:
    """By the HTTP conventions: `http.request.resend_count` is absent on the first."""
    told = Told()
    await client(Script(BUSY, OK), told).get(URL)
    assert [each.attributes.get("http.request.resend_count") for each in told.operations] == [None, 1]
    assert [each.error_type for each in told.operations] == ["503", None]


MOVED = httpx.Response(302, headers={"Location": "https://other.org/there?secret=1"})


async def test_redirects_are_not_followed_unless_asked(autojump_clock: MockClock) -> None:
    """The redirect is the answer."""
    assert (await client(Script(MOVED)).get(URL)).status == 302


async def test_a_redirect_takes_no_secrets_to_another_origin(autojump_clock: MockClock) -> None:
    """Whatever header they are in; trace context goes by where it leads."""
    script = Script(MOVED, OK)
    await client(script, Told(), max_redirects=1, trace_to=("api.example.com",)).get(
        URL, headers={"Authorization": "Bearer x", "X-Api-Key": "y", "Cookie": "z", "Accept": "text/plain"}
    )
    first, second = script.asked
    assert {"authorization", "x-api-key", "cookie", "traceparent"} <= set(first.headers)
    assert set(second.headers) == {"host", "accept", "accept-encoding", "user-agent"}
    assert (second.url.host, second.headers["accept"]) == ("other.org", "text/plain")


async def test_a_post_that_is_redirected_stays_one_where_the_status_says_so(
    autojump_clock: MockClock,
) -> None:
    """307 and 308 keep method and body, 302 and 303 make a GET of it."""
    for status, method, body in (
        (307, "POST", b"{}"),
        (308, "POST", b"{}"),
        (302, "GET", b""),
        (303, "GET", b""),
    ):
        script = Script(httpx.Response(status, headers={"Location": "/elsewhere"}), OK)
        await client(script, max_redirects=1).post(URL, json={})
        assert (script.asked[1].method, script.asked[1].content) == (method, body)
        assert script.asked[1].url.path == "/elsewhere"


@pytest.mark.parametrize(
    "location", ["http://api.example.com/", "ftp://a.org/", "http://[", "javascript:alert(1)"]
)
async def test_a_redirect_to_what_is_no_safe_address_is_not_followed(
    location: str, autojump_clock: MockClock
) -> None:
    """Nor one from https to http."""
    script = Script(httpx.Response(302, headers={"Location": location}), OK)
    with pytest.raises(TooManyRedirects):
        await client(script, max_redirects=3).get(URL)
    assert len(script.asked) == 1


async def test_a_ring_of_redirects_ends(autojump_clock: MockClock) -> None:
    """After as many as are allowed."""
    script = Script(httpx.Response(302, headers={"Location": URL}))
    with pytest.raises(TooManyRedirects, match="more than 3 redirects"):
        await client(script, max_redirects=3).get(URL)
    assert len(script.asked) == 4
