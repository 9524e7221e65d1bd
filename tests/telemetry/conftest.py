"""Fixtures of the telemetry tests."""

from collections.abc import Iterator

import pytest

from telemetry.rig import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A `Telemetry` whose output can be read."""
    rig = Rig()
    yield rig
    rig.telemetry.logs.close(5.0)
