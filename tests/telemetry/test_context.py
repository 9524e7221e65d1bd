"""The current context is OpenTelemetry's own, whatever keeps it."""

import importlib.util
from contextvars import ContextVar, Token

import pytest
from opentelemetry import context as api
from opentelemetry.context import Context, get_value, set_value

from penstock.telemetry import context as ours


class Runtime:
    """One that an environment variable may name in the place of OpenTelemetry's."""

    def __init__(self) -> None:
        self._kept = ContextVar[Context]("kept")

    def get_current(self) -> Context:
        return self._kept.get(Context())

    def attach(self, context: Context) -> Token[Context]:
        return self._kept.set(context)

    def detach(self, token: Token[Context]) -> None:
        self._kept.reset(token)


@pytest.mark.parametrize("runtime", ["OpenTelemetry's", "another"])
def test_what_is_attached_here_is_seen_there(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is attached there is seen here; undone, nothing is left."""
    if runtime == "another":
        monkeypatch.setattr(api, "_RUNTIME_CONTEXT", Runtime())
    assert ours.__spec__ is not None
    assert ours.__spec__.loader is not None
    module = importlib.util.module_from_spec(ours.__spec__)
    ours.__spec__.loader.exec_module(module)  # as a process begins that has this runtime

    token = module.attach(set_value("one", 1))
    assert get_value("one") == 1
    inner = api.attach(set_value("two", 2))
    assert (module.current()["one"], module.current()["two"]) == (1, 2)
    api.detach(inner)
    module.detach(token)
    assert (get_value("one"), module.current()) == (None, {})
