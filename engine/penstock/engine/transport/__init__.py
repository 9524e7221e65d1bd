"""Penstock's own way to Redis: anyio streams with hiredis, on Trio and on asyncio.

`Redis` is what the store uses. Beneath it lie, each knowing only the next, `Connection` (many
callers, one stream) and `Wire` (bytes and replies); `Subscription` stands on a `Wire` of its own.
"""

from penstock.engine.transport.address import TLS, Address
from penstock.engine.transport.connection import Connection, Timeout, connect
from penstock.engine.transport.errors import (
    ConnectionLost,
    ScriptMissing,
    StoreError,
    StoreNotReady,
)
from penstock.engine.transport.link import Redis
from penstock.engine.transport.script import Script
from penstock.engine.transport.subscription import Subscription
from penstock.engine.transport.wire import Argument, Command, Reply, Traffic

__all__ = [
    "TLS",
    "Address",
    "Argument",
    "Command",
    "Connection",
    "ConnectionLost",
    "Redis",
    "Reply",
    "Script",
    "ScriptMissing",
    "StoreError",
    "StoreNotReady",
    "Subscription",
    "Timeout",
    "Traffic",
    "connect",
]
