"""taskiq on uvloop, the list broker of taskiq-redis: the faster one, which acknowledges nothing."""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# The peer is installed in an environment of its own only, where no checker of ours looks.

from benchmarks.peers.apps import taskiq_stream_app


class App(taskiq_stream_app.App):
    """The same with another broker."""

    streams = False
