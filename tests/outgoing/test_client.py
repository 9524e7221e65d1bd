"""What a client does on real connections: bounds, TLS, compression, reuse."""

import gzip
import socket
import ssl
import subprocess
import sys
import zlib

import anyio
import pytest
import trio

from outgoing.rig import TRUSTS_NOBODY
from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.engine.outgoing import (
    AddressRefused,
    HttpClient,
    HttpFailed,
    HttpSettings,
    HttpTimeout,
    InvalidResponse,
    ResponseTooLarge,
)
from support.http_receiver import CERTIFICATE, Answer, http_receiver

HERE = HttpSettings(allow_private=True, retries=0)


def _settings(**fields: object) -> HttpSettings:
    return HttpSettings(**{"allow_private": True, "retries": 0, **fields})  # type: ignore[arg-type]


async def test_a_request_goes_out_as_it_was_asked_for_and_connections_are_kept() -> None:
    """JSON, parameters and headers; a user in the address becomes basic authentication."""
    async with http_receiver() as receiver, HttpClient(HERE, tls=TRUSTS_NOBODY) as http:
        url = receiver.url.replace("//", "//some:p%40ss@")
        await http.post(f"{url}/a?x=1", params={"y": "ü"}, json={"k": [1]}, headers={"X-Mine": "1"})
        await http.get(receiver.url)
        first, second = receiver.asked
    assert (first.method, first.target, first.json()) == ("POST", "/a?x=1&y=%C3%BC", {"k": [1]})
    assert first.headers["content-type"] == "application/json"
    assert first.headers["authorization"] == "Basic c29tZTpwQHNz"
    assert first.headers["x-mine"] == "1"
    assert "@" not in first.headers["host"]
    assert "authorization" not in second.headers
    assert receiver.connections == 1


async def test_a_client_that_is_not_open_says_how_to_open_it() -> None:
    """Before anything is connected, and after it was closed."""
    http = HttpClient(HERE, tls=TRUSTS_NOBODY)
    async with http:
        pass
    with pytest.raises(ConfigurationError, match="async with HttpClient"):
        await http.get("http://127.0.0.1:1/")


async def test_cookies_are_not_kept() -> None:
    """What one job is given is none of another's business."""
    async with http_receiver() as receiver, HttpClient(HERE, tls=TRUSTS_NOBODY) as http:
        receiver.answer = Answer(headers={"Set-Cookie": "session=1"})
        await http.get(receiver.url)
        await http.get(receiver.url)
        assert "cookie" not in receiver.asked[1].headers


async def test_a_body_that_is_too_large_is_not_read_to_its_end() -> None:
    """Whether it says so beforehand, or never ends; the client goes on with others."""
    async with (
        http_receiver() as receiver,
        HttpClient(_settings(max_response=100_000), tls=TRUSTS_NOBODY) as http,
    ):
        receiver.answers.extend([Answer(body=b"x" * 100_001), Answer(body=b"x" * 10_000, endless=True)])
        for _ in range(2):
            with pytest.raises(ResponseTooLarge, match="more than 100000 bytes") as caught:
                await http.get(receiver.url)
            assert caught.value.status == 200
        receiver.answer = Answer(body=b"x" * 100_000)
        assert len((await http.get(receiver.url)).body) == 100_000


async def test_a_body_is_decompressed_within_its_bound() -> None:
    """A bomb of some kilobytes does not become a gigabyte."""
    async with (
        http_receiver() as receiver,
        HttpClient(_settings(max_response=1_000_000), tls=TRUSTS_NOBODY) as http,
    ):
        packed = {"Content-Encoding": "gzip"}
        receiver.answers.append(Answer(headers=packed, body=gzip.compress(b"y" * 1_000_000)))
        response = await http.get(receiver.url)
        assert response.body == b"y" * 1_000_000
        assert "content-encoding" not in response.headers
        receiver.answers.append(Answer(headers=packed, body=gzip.compress(b"y" * 1_000_001)))
        with pytest.raises(ResponseTooLarge):
            await http.get(receiver.url)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b"z" * 999, mtime=0)[:-9]),
        ("gzip, gzip", gzip.compress(b"", mtime=0)),
        ("br", b"x"),
        ("deflate", zlib.compress(b"x")),
    ],
)
async def test_a_coding_that_was_not_asked_for_or_is_broken_is_clear(coding: str, body: bytes) -> None:
    """gzip alone is asked for: what nests codings nests bombs."""
    async with http_receiver() as receiver, HttpClient(HERE, tls=TRUSTS_NOBODY) as http:
        receiver.answer = Answer(headers={"Content-Encoding": coding}, body=body)
        with pytest.raises(InvalidResponse, match="gzip"):
            await http.get(receiver.url)


async def test_a_host_that_sends_slowly_is_not_waited_for() -> None:
    """The bound is on the whole answer, so a byte now and then gains nothing."""
    async with http_receiver() as receiver, HttpClient(_settings(timeout=0.5), tls=TRUSTS_NOBODY) as http:
        receiver.answer = Answer(body=b"x", stuck=True)
        with trio.fail_after(30), pytest.raises(HttpTimeout, match=r"no whole answer within 0\.5 s"):
            await http.get(receiver.url)
        receiver.answer = Answer()
        assert (await http.get(receiver.url, timeout=20.0)).ok


async def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    """With the reason that TLS gives; and accepted by who trusts it."""
    async with http_receiver(tls=True) as receiver:
        async with HttpClient(HERE) as http:
            with pytest.raises(HttpFailed, match="CERTIFICATE_VERIFY_FAILED"):
                await http.get(receiver.url)
        async with HttpClient(HERE, tls=ssl.create_default_context(cafile=str(CERTIFICATE))) as http:
            assert (await http.get(receiver.url)).ok


async def test_nobody_at_home_is_a_failure_with_the_systems_reason() -> None:
    """Not the library's words above it."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with HttpClient(HERE, tls=TRUSTS_NOBODY) as http:
            with pytest.raises(HttpFailed, match="refused"):
                await http.get(f"http://127.0.0.1:{closed.getsockname()[1]}/")


async def test_an_answer_that_is_no_http_is_a_failure() -> None:
    """Whose text does not quote it."""

    async def babble(stream: trio.SocketStream) -> None:
        await stream.send_all(b"SSH-2.0-secret\r\n\r\n")
        await stream.receive_some(1)

    async with trio.open_nursery() as nursery, HttpClient(HERE, tls=TRUSTS_NOBODY) as http:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, babble, [listener])
        with pytest.raises(HttpFailed, match="RemoteProtocolError") as caught:
            await http.get(f"http://127.0.0.1:{listener.socket.getsockname()[1]}/")
        assert "secret" not in str(caught.value)
        nursery.cancel_scope.cancel()


async def test_connections_are_bounded_and_waiting_for_one_is_too() -> None:
    """A request that finds none free fails in its own time."""
    async with (
        http_receiver() as receiver,
        HttpClient(_settings(max_connections=1), tls=TRUSTS_NOBODY) as http,
    ):
        receiver.answers.append(Answer(body=b"x", stuck=True))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(http.get, receiver.url)
            while not receiver.asked:
                await trio.testing.wait_all_tasks_blocked(0.01)
            with pytest.raises(HttpTimeout):
                await http.get(receiver.url, timeout=0.2)
            nursery.cancel_scope.cancel()
        assert receiver.connections == 1


@pytest.mark.parametrize(
    "url", ["", "example.org", "ftp://a.org/", "file:///etc/passwd", "http://", "http://u:secret@/", "http://a:b:c/",
            "http://a.org/\n"],
)  # fmt: skip
async def test_what_is_no_web_address_is_the_callers_fault(url: str) -> None:
    """The error does not quote it, because it may hold a password."""
    with pytest.raises(InvalidRequest) as caught:
        await HttpClient(HERE).get(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("headers", [{"X-Key": "se\ncret"}, {"X-Key": "secrét☃"}, {"X Key": "secret"}])
async def test_a_header_that_cannot_be_sent_is_not_quoted(headers: dict[str, str]) -> None:
    """In the error or in its causes: it may be a secret."""
    async with http_receiver() as receiver, HttpClient(HERE, tls=TRUSTS_NOBODY) as http:
        with pytest.raises(InvalidRequest) as caught:
            await http.get(receiver.url, headers=headers)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [{"timeout": 0}, {"retries": -1}, {"open_for": float("nan")}, {"trace_to": ("https://x",)}],
)
def test_settings_out_of_their_range_are_refused(fields: dict[str, object]) -> None:
    """When they are made."""
    with pytest.raises(ConfigurationError):
        _settings(**fields)


def test_it_works_on_asyncio() -> None:
    """The guard, too: it is anyio's loop that is asked."""

    async def answer(stream: anyio.abc.ByteStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await stream.aclose()

    async def main() -> None:
        server = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with server, anyio.create_task_group() as group:
            group.start_soon(server.serve, answer)
            port = server.extra(anyio.abc.SocketAttribute.local_port)
            async with HttpClient(HERE, tls=TRUSTS_NOBODY) as http, HttpClient(tls=TRUSTS_NOBODY) as guarded:
                assert (await http.get(f"http://127.0.0.1:{port}/")).text == "hi"
                with pytest.raises(AddressRefused, match="loopback"):
                    await guarded.get(f"http://localhost:{port}/")
            group.cancel_scope.cancel()

    anyio.run(main, backend="asyncio")


def test_who_makes_no_requests_loads_no_client() -> None:
    """The engine's core works without these libraries."""
    program = "import sys, penstock.engine, penstock.engine.worker; print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"False\n"


def test_a_machine_without_httpx_is_told_what_to_install() -> None:
    """By the extra's name."""
    program = (
        "import sys; sys.modules['httpx'] = None\n"
        "from penstock.engine.errors import ConfigurationError\n"
        "try: import penstock.engine.outgoing\n"
        "except ConfigurationError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    assert b"pip install 'penstock[outgoing]'" in done.stdout
