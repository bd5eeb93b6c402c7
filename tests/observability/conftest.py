from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from msil_mcp.settings import Settings
from observability.serving import Watched, serving, watched_app


@pytest.fixture(autouse=True)
def events() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged; nothing is printed."""
    with capture_logs() as captured:
        yield captured


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None)


@pytest.fixture
async def watched(settings: Settings) -> AsyncIterator[Watched]:
    found, app = watched_app(settings)
    async with serving(app) as url:
        found.url = url
        yield found


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
