"""Applications of modules, which answer below `/modules/<name>/` beside the API."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from quart_trio import QuartTrio

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
PREFIX = "/modules/"


def mounted(app: QuartTrio, apps: Mapping[str, ASGIApp]) -> ASGIApp:
    """`app`, and in front of it those that have a prefix of their own; `app` itself where there are none.

    They get HTTP and websocket scopes with the prefix as `root_path`, as ASGI has it, on the API's own loop;
    the lifespan is the API's.
    """
    return Mounts(app, apps) if apps else app


class Mounts:
    """Hands each request to whose it is."""

    def __init__(self, app: QuartTrio, apps: Mapping[str, ASGIApp]) -> None:
        self._app: ASGIApp = app
        self._apps = dict(apps)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        name = path.removeprefix(PREFIX).partition("/")[0] if path.startswith(PREFIX) else None
        if name not in self._apps:
            await self._app(scope, receive, send)
            return
        scope["penstock.route"] = f"{PREFIX}{name}/{{path}}"  # for whoever is around us and reads it there
        below = {**scope, "root_path": f"{scope.get('root_path', '')}{PREFIX}{name}"}
        await self._apps[name](below, receive, send)
