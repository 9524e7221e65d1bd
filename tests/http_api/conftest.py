"""A served site for each test."""

from collections.abc import AsyncGenerator

import pytest

from http_api.helpers import Site, served


@pytest.fixture
async def site() -> AsyncGenerator[Site]:
    """An application on a free port of a real Hypercorn, with a store of its own."""
    async with served(Site()) as site:
        yield site
