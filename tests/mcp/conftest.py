from collections.abc import Iterator

import pytest

from bare_client import VERSIONS, Talk
from conformance.fixture_app import FixtureApp
from running import serving


@pytest.fixture(scope="session")
def fixture_app() -> FixtureApp:
    return FixtureApp()


@pytest.fixture(scope="session")
def url(fixture_app: FixtureApp) -> Iterator[str]:
    """One replica, shared: tests talk to it in sessions of their own."""
    with serving(fixture_app.create()) as (base_url, _):
        yield f"{base_url}/mcp"


@pytest.fixture(params=VERSIONS)
def talk(request: pytest.FixtureRequest, url: str) -> Talk:
    """A client of each protocol version, ready to ask."""
    client = Talk(url, request.param, capabilities={"elicitation": {}})
    client.begin()
    return client
