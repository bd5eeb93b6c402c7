from collections.abc import AsyncIterator

import pytest

from egress.servers import RawServer, raw_server
from msil_mcp.egress import Egress
from msil_mcp.settings import Settings


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server() as running:
        yield running


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    client = Egress(Settings(_env_file=None, https_proxy=""))
    await client.start()
    yield client
    await client.close()
