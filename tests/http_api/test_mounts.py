"""Applications of modules answer below their prefix, on the API's own port, seen by the same telemetry."""

import json
from typing import Any

import pytest
import trio
from quart_trio import QuartTrio

from http_api.asking import SECRETS, bearer, book
from http_api.helpers import WITHIN
from penstock.engine import Client, Registry
from penstock.engine.memory_store import MemoryStore
from penstock.http import create_app
from penstock.http.mounts import Mounts, mounted


async def said_by(
    app: Any, path: str, root_path: str = "", **headers: str
) -> tuple[int, bytes, dict[str, Any]]:
    """Status, body and what is left in the scope."""
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": root_path,
        "query_string": b"",
        "headers": [
            (b"host", b"localhost"),
            *((name.lower().encode(), value.encode()) for name, value in headers.items()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "extensions": {},
        "asgi": {"version": "3.0"},
    }
    sent, left = list[dict[str, Any]](), [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if left:
            return left.pop()
        await trio.sleep_forever()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    with trio.fail_after(WITHIN):
        await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return next(message["status"] for message in sent if "status" in message), body, scope


@pytest.fixture
def gallery() -> QuartTrio:
    """A module's application with one route."""
    app = QuartTrio("gallery", static_folder=None)

    @app.get("/pictures/<name>")
    async def picture(name: str) -> str:
        return f"picture {name}"

    return app


@pytest.fixture
def api(gallery: QuartTrio) -> Any:
    app = create_app(Client(MemoryStore()), Registry([]), enter_client=False)
    return mounted(app, {"images": gallery})


async def test_a_module_answers_below_its_prefix(api: Any) -> None:
    """It routes by what follows, whatever stands before."""
    status, body, scope = await said_by(api, "/modules/images/pictures/cat")

    assert (status, body) == (200, b"picture cat")
    assert scope["penstock.route"] == "/modules/images/{path}"
    assert (await said_by(api, "/prefix/modules/images/pictures/cat", "/prefix"))[0] == 404


async def test_everything_else_is_the_apis(api: Any) -> None:
    """Its own routes, and a problem for a module that mounts nothing."""
    assert (await said_by(api, "/healthz"))[0] == 200
    status, body, _ = await said_by(api, "/modules/mail/x")
    assert status == 404
    assert b"problem" in body or b"title" in body


async def test_a_module_is_told_who_asks_and_never_the_token() -> None:
    """Any valid token will do; without one the module is not asked, and the answer is a problem."""
    seen: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app = create_app(Client(MemoryStore()), Registry([]), enter_client=False, tokens=book().find)
    api = mounted(app, {"images": application}, book().find)

    status, body, scope = await said_by(api, "/modules/images/x%20y")
    assert (status, seen) == (401, [])
    problem = json.loads(body)
    assert (problem["type"], problem["status"]) == ("urn:penstock:problem:unauthenticated", 401)
    assert scope["penstock.route"] == "/modules/images/{path}"

    assert (await said_by(api, "/modules/images/x", **bearer("ann")))[0] == 204
    (scope,) = seen
    assert (scope["penstock.tenant"], scope["penstock.user"]) == ("acme", "ann")
    assert SECRETS["ann"] not in str(scope)
    assert (await said_by(api, "/modules/images/x", **bearer("powerless")))[0] == 204


async def test_a_websocket_without_a_token_is_closed_before_it_opens() -> None:
    """ASGI makes 403 of it."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("it was let in")

    app = create_app(Client(MemoryStore()), Registry([]), enter_client=False)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/modules/images/x", "headers": []}
    await mounted(app, {"images": application}, book().find)(scope, trio.sleep_forever, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_without_applications_there_is_nothing_in_front() -> None:
    """Requests pay for no prefix that nobody has."""
    app = create_app(Client(MemoryStore()), Registry([]), enter_client=False)
    assert mounted(app, {}) is app
    assert isinstance(mounted(app, {"a": app}), Mounts)
