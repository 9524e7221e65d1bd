"""Whole processes, and a server that nobody else uses."""

from support.process_fixtures import start, valkey

__all__ = ["start", "valkey"]
