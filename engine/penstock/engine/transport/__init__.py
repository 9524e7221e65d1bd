"""Penstock's own way to Redis: anyio streams with hiredis, on Trio and on asyncio.

A `Link` is what the store uses, made by `open_link` from a URL: `Redis` leads to one server,
the one at an address or the master behind Sentinels, `Cluster` to as many as there are. Beneath
it lie, each knowing only the next, `Connection` (many callers, one stream) and `Wire` (bytes and
replies); `Subscription` stands on a `Wire` of its own. `METRICS` count what every link does; a `Traced`
link makes a span of each call besides.
"""

from penstock.engine.transport.address import TLS, Address
from penstock.engine.transport.addresses import ClusterAddress, SentinelAddress
from penstock.engine.transport.cluster import Cluster
from penstock.engine.transport.connection import Connection, Timeout, connect
from penstock.engine.transport.errors import (
    ConnectionLost,
    ScriptMissing,
    StoreError,
    StoreNotReady,
)
from penstock.engine.transport.link import Inbox, Link, open_link
from penstock.engine.transport.metrics import METRICS
from penstock.engine.transport.script import Script
from penstock.engine.transport.single import Redis
from penstock.engine.transport.subscription import Subscription
from penstock.engine.transport.traced import Traced
from penstock.engine.transport.wire import Argument, Command, Reply, Traffic

__all__ = [
    "METRICS",
    "TLS",
    "Address",
    "Argument",
    "Cluster",
    "ClusterAddress",
    "Command",
    "Connection",
    "ConnectionLost",
    "Inbox",
    "Link",
    "Redis",
    "Reply",
    "Script",
    "ScriptMissing",
    "SentinelAddress",
    "StoreError",
    "StoreNotReady",
    "Subscription",
    "Timeout",
    "Traced",
    "Traffic",
    "connect",
    "open_link",
]
