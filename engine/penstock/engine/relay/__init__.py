"""Handing every ending, at least once, to whoever wants to keep it: see docs/relay.md.

`delivery` is the loop and says why nothing is lost; `relay` opens the nursery.
"""

from penstock.engine.relay.facts import EndingsSetAside, Fact, SinkFailed, SinkRecovered, Tell
from penstock.engine.relay.metrics import METRICS
from penstock.engine.relay.relay import Relay
from penstock.engine.relay.settings import RelaySettings, settings_for
from penstock.engine.relay.sink import Sink

__all__ = [
    "METRICS",
    "EndingsSetAside",
    "Fact",
    "Relay",
    "RelaySettings",
    "Sink",
    "SinkFailed",
    "SinkRecovered",
    "Tell",
    "settings_for",
]
