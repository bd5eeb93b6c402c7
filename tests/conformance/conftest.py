from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.fixture_app import FixtureApp
from nodes import Node, node_in
from running import serving

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"


@pytest.fixture
def node(component: Callable[[str], str]) -> Node:
    return node_in(HERE, component)


@pytest.fixture(scope="session")
def fixture_url() -> Iterator[str]:
    """The product's endpoint over the suite's catalogue."""
    with serving(FixtureApp().create()) as (url, _):
        yield f"{url}/mcp"
