"""Fixtures of the tests about objectives and alerts."""

from telemetry.conftest import rig as rig
