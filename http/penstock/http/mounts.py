"""Applications of modules, which answer below `/modules/<name>/` beside the API."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote

from quart_trio import QuartTrio

from penstock.http.gate import Gate
from penstock.http.problems import CONTENT_TYPE, Refused, encode, headers_of, problem_of
from penstock.http.tokens import Find

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
PREFIX = "/modules/"
_POLICY_VIOLATION = 1008  # RFC 6455 §7.4.1; before it is accepted, a websocket is refused with 403


def mounted(app: QuartTrio, apps: Mapping[str, ASGIApp], tokens: Find | None = None) -> ASGIApp:
    """`app`, and in front of it those that have a prefix of their own; `app` itself where there are none.

    They get HTTP and websocket scopes with the prefix as `root_path`, as ASGI has it, on the API's own loop;
    the lifespan is the API's. Where there are `tokens`, any valid one will do; its tenant and user are in the
    scope, as `penstock.tenant` and `penstock.user`, and the token itself is not.
    """
    return Mounts(app, apps, tokens) if apps else app


class Mounts:
    """Hands each request to whose it is."""

    def __init__(self, app: QuartTrio, apps: Mapping[str, ASGIApp], tokens: Find | None = None) -> None:
        self._app: ASGIApp = app
        self._apps = dict(apps)
        self._gate = Gate(tokens)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        name = path.removeprefix(PREFIX).partition("/")[0] if path.startswith(PREFIX) else None
        if name not in self._apps:
            await self._app(scope, receive, send)
            return
        scope["penstock.route"] = f"{PREFIX}{name}/{{path}}"  # for whoever is around us and reads it there
        try:
            self._gate.admit(scope)
        except Refused as error:
            await _refuse(error, scope, send)
            return
        below = {**scope, "root_path": f"{scope.get('root_path', '')}{PREFIX}{name}"}
        if self._gate.asks:  # what a module does not know it cannot tell
            below["headers"] = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
        await self._apps[name](below, receive, send)


async def _refuse(error: Refused, scope: MutableMapping[str, Any], send: Any) -> None:
    """As the API's own routes do, with nothing but ASGI."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return
    problem = problem_of(error, scope, instance=quote(scope["path"]))
    headers = {"Content-Type": CONTENT_TYPE, **headers_of(error)}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": encode(problem), "more_body": False})
