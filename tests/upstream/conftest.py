from collections.abc import AsyncIterator, Callable

import pytest

from egress.servers import RawServer, raw_server
from msil_mcp.egress import Egress
from msil_mcp.settings import Settings
from msil_mcp.upstream import Discipline, EnvironmentCredentials, UpstreamInvoker
from msil_mcp.upstream.credentials import CredentialReference

Build = Callable[..., UpstreamInvoker]

ENVIRONMENT = {"BOOKING_TOKEN": "s3cr3t/token-value", "OTHER_KEY": "other-key-value"}
REFERENCES = {
    "secured": CredentialReference("bearer", "BOOKING_TOKEN"),
    "keyed": CredentialReference("api_key", "OTHER_KEY", "X-API-Key"),
    "basic": CredentialReference("basic", "OTHER_KEY"),
    "forgotten": CredentialReference("bearer", "NOT_SET"),
}


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server() as running:
        yield running


@pytest.fixture
async def build() -> AsyncIterator[Build]:
    settings = Settings(_env_file=None, https_proxy="", max_upstream_bytes=10_000)
    egress = Egress(settings)
    await egress.start()

    def invoker(**options: object) -> UpstreamInvoker:
        facts: dict[str, object] = {
            "egress": egress,
            "settings": settings,
            "credentials": EnvironmentCredentials(REFERENCES, environment=ENVIRONMENT),
            "discipline": Discipline(),
        }
        return UpstreamInvoker(**(facts | options))

    yield invoker
    await egress.close()


@pytest.fixture
def invoker(build: Build) -> UpstreamInvoker:
    return build()
