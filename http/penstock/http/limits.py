"""Bounds on what one HTTP request may bring and how long it may take. Bytes and seconds."""

import msgspec

MIB = 1024 * 1024


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What `create_app` accepts from one request; whatever exceeds a size is answered with 413."""

    body: int = MIB
    """One submission. The engine's `MAX_ARGUMENTS` is smaller and bounds the arguments themselves."""
    batch_body: int = 256 * MIB
    batch_lines: int = 100_000
    line: int = MIB
    chunk_lines: int = 500
    """Lines of a batch that are submitted together; also flushed when `chunk_bytes` are gathered."""
    chunk_bytes: int = MIB
    unsent_results: int = 16 * MIB
    """Results of a batch that wait for a client which sends everything before it reads anything. 100,000
    accepted lines take about 13 MiB; a client that fills it is made to wait."""
    patience: float = 60.0
    """How long a client may stall: a body that does not come, a batch that does not move."""
    wait: float = 60.0
    """The longest long poll; load balancers commonly cut idle requests after 60 seconds."""
    ping: float = 1.0
    """How long `/readyz` waits for the store."""
