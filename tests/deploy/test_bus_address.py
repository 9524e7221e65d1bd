"""What is said of an address of the bus that cannot be used."""

import pytest

from penstock.deploy.bus_part import open_bus
from penstock.engine.errors import ConfigurationError
from penstock.engine.transport import open_link


@pytest.mark.parametrize("address", ["nats://me:hunter2@one", "kafka://me:hunter2@", "rediss://:hunter2@one"])
async def test_the_message_has_no_password(address: str) -> None:
    """It says what was expected, and no part of what was given."""
    link = open_link("redis://127.0.0.1:1")
    try:
        with pytest.raises(ConfigurationError, match="kafka://") as raised:
            async with open_bus(address, link):
                pass
    finally:
        await link.aclose()
    assert "hunter2" not in str(raised.value)
