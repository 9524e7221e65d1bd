"""The example that forwards failures, on a stand-in for the SDK."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
from trio.testing import MockClock

from examples.sentry import charge, sentry_sdk, shop
from penstock.engine.events import ObserverFailed
from support.work import working


class Sdk(ModuleType):
    """As much of `sentry_sdk` as is used; remembers what was sent."""

    def __init__(self) -> None:
        super().__init__("sentry_sdk")
        self.settings: dict[str, Any] = {}
        self.sent: list[tuple[BaseException, dict[str, Any]]] = []
        self._scope: dict[str, Any] = {}

    def init(self, **settings: Any) -> None:
        self.settings = settings

    @contextmanager
    def new_scope(self) -> Generator["Sdk"]:
        yield self
        self._scope = {}

    def set_tag(self, key: str, value: Any) -> None:
        self._scope[key] = value

    def set_context(self, key: str, value: dict[str, Any]) -> None:
        self._scope[f"{key} context"] = value

    def capture_exception(self, error: BaseException) -> None:
        self.sent.append((error, self._scope | {"fingerprint": self.fingerprint}))


async def test_dead_letters_are_sent_with_all_that_leads_back(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """One event a dead letter, not one an attempt; no local variables; grouped by our fingerprint."""
    sdk = Sdk()
    monkeypatch.setitem(sys.modules, "sentry_sdk", sdk)
    sentry_sdk.cache_clear()
    async with working(shop) as rig:
        await rig.start_worker()
        job = await rig.client.wait((await rig.client.submit(charge, 7)).id, 1000)
        assert rig.ears.of(ObserverFailed) == []

    assert job.error is not None
    assert sdk.settings == {"include_local_variables": False}
    [(error, scope)] = sdk.sent
    assert repr(error) == "LookupError('order 7 has no price')"
    assert scope == {
        "fingerprint": [job.error.fingerprint],
        "job": "shop.charge",
        "job context": {"id": job.id, "attempt": 3, "worker": job.error.worker},
        "queue": "default",
        "trace_id": "",
    }
