"""The scripted model and the booking service on loopback, both on the same Monday."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from booking_api.app import create_app as create_booking_app
from booking_api.settings import BookingSettings
from isolation import loopback_only
from msil_mcp.llm.llm_service import LLMService
from msil_mcp.llm.scripted.server import create_app
from msil_mcp.observability.metrics import Metrics
from msil_mcp.observability.system import SystemMonitor
from msil_mcp.settings import Settings
from running import serving
from talking import BookingService, Talk, monday


@pytest.fixture(scope="session", autouse=True)
def no_real_models() -> Iterator[None]:
    with loopback_only():
        yield


@pytest.fixture(scope="session")
def model_url() -> Iterator[str]:
    with serving(create_app(clock=monday, slow_seconds=0.3)) as (url, _):
        yield f"{url}/v1"


@pytest.fixture(scope="session")
def service_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = BookingSettings(data_dir=tmp_path_factory.mktemp("booking"), _env_file=None)
    with serving(create_booking_app(settings, clock=monday)) as (url, _):
        yield url


@pytest.fixture
async def client(model_url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=model_url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def talk(client: AsyncOpenAI, service_url: str) -> Talk:
    return Talk(client, BookingService(service_url))


class Service:
    """A running LLMService with its metrics."""

    def __init__(self, llm: LLMService, metrics: Metrics) -> None:
        self.llm = llm
        self.metrics = metrics

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def llm_service() -> Callable[..., Any]:
    @asynccontextmanager
    async def start(**changes: Any) -> AsyncIterator[Service]:
        metrics = Metrics(system=SystemMonitor(disk=Path()))
        settings = Settings(_env_file=None, **changes)
        llm = LLMService(settings, metrics=metrics, first_retry_seconds=0.001)
        await llm.start()
        try:
            yield Service(llm, metrics)
        finally:
            await llm.close()

    return start
