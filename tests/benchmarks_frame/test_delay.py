"""The network of the latency benchmark: late, and nothing else."""

import sys
from pathlib import Path

import trio

from benchmarks.frame.player import player
from penstock.engine.transport import Redis
from support.redis_server import valkey_server

DELAY = 0.2  # seconds, there and back: far above what a swamped machine adds to both sides


async def test_every_answer_is_late_by_the_delay_and_whole(tmp_path: Path) -> None:
    """A large value comes back as it was."""
    path, value = tmp_path / "sock", b"x" * 300_000
    with valkey_server() as server, trio.fail_after(60):
        command = [sys.executable, "-m", "benchmarks.latency.delay", str(path), server.url, str(DELAY)]
        async with player(command), Redis(f"unix://{path}") as redis:
            await redis.execute("SET", "key", value, retry_for=30)
            began = trio.current_time()
            assert await redis.execute("GET", "key") == value
            assert trio.current_time() - began >= DELAY
