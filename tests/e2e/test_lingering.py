"""An API that is told to end goes on for a moment, so that nobody is refused before balancers know."""

import json
import signal
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

from e2e.system import start_api
from support.processes import Start
from support.redis_server import ValkeyServer

BODY = json.dumps({"job": "trial.add", "args": {"left": 1}})


def post(connection: HTTPConnection) -> HTTPResponse:
    connection.request("POST", "/v1/jobs", BODY, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer


def test_requests_are_taken_while_it_lingers(start: Start, valkey: ValkeyServer) -> None:
    """After SIGTERM it is not ready; requests on old and on new connections are still taken.

    Each answer closes its connection, so that the next request goes elsewhere. Then it ends in good order.
    """
    api, url = start_api(start, valkey.url, "--linger", "5")
    port = urlsplit(url).port
    before = HTTPConnection("127.0.0.1", port, timeout=20)
    first = post(before)

    api.send(signal.SIGTERM)
    after = HTTPConnection("127.0.0.1", port, timeout=20)
    while True:  # until the signal has been heard
        after.request("GET", "/readyz")
        ready = after.getresponse()
        ready.read()
        if ready.status == 503:
            break
    old, new = post(before), post(after)

    assert (first.status, first.getheader("Connection")) == (202, None)
    assert [(answer.status, answer.getheader("Connection")) for answer in (old, new)] == [(202, "close")] * 2
    assert (ready.getheader("Connection"), ready.getheader("Retry-After")) == ("close", "2")
    for connection in (before, after):
        connection.close()
    assert api.wait() == 0, str(api)


def test_without_lingering_it_ends_at_once(start: Start, valkey: ValkeyServer) -> None:
    """The default, for whoever presses Ctrl-C: nothing new is taken, and it ends."""
    api, url = start_api(start, valkey.url)
    idle = HTTPConnection("127.0.0.1", urlsplit(url).port, timeout=20)
    assert post(idle).status == 202

    assert api.terminate() == 0, str(api)
    idle.close()
