import pytest

from penstock.engine.transport import Redis
from support.redis_server import DURABLE, valkey_server


async def test_a_durable_server_keeps_its_data_through_a_kill() -> None:
    """The fixture of the chaos tests: what was acknowledged is there after `restart`."""
    with valkey_server(*DURABLE, tcp=True) as server:
        async with Redis(server.tcp_url) as redis:
            await redis.execute("SET", "k", "v")
            server.restart()
            assert await redis.execute("GET", "k") == b"v"
    assert not server.directory.exists()


def test_a_server_that_cannot_start_says_why() -> None:
    """The error holds the server's log, and nothing is left behind."""
    with pytest.raises(RuntimeError, match="Bad directive"), valkey_server("--nonsense", "1"):
        pass
