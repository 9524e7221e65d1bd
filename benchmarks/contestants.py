"""Processes that take part in more than one benchmark."""

import sys
from typing import Any

from benchmarks.frame.race import Contestant


def child(module: str, *arguments: str, **order: Any) -> Contestant:
    """A module of ours that takes turns; the first argument it gets is the URL of its server."""
    return Contestant(command=(sys.executable, "-m", module, "{redis}", *arguments), order=order)


def penstock(variant: str, endpoint: str = "", *, singly: bool = False) -> Contestant:
    """One worker, watched as in `telemetry_variants`."""
    return child("benchmarks.drain_child", variant, endpoint, singly=singly)
