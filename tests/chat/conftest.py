"""Sessions over each database; every test is a person of its own, so that tests share it."""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count

import pytest

from chat.conversing import by_model
from databases import Templates, settings_for
from msil_mcp.chat.session_service import SessionService
from msil_mcp.db.database import Database, database_url
from msil_mcp.llm.scripted.server import create_app as create_model
from msil_mcp.principal import BUILTIN_ROLES, Principal
from running import Product, product, serving

_numbers = count(1)


def person(*, role: str = "user") -> Principal:
    """Somebody nobody else is."""
    return Principal(
        id=f"user:{next(_numbers)}",
        kind="user",
        name="Asha",
        roles=frozenset({role}),
        permissions=BUILTIN_ROLES[role],
    )


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
async def database(
    request: pytest.FixtureRequest, templates: Templates, anyio_backend: str
) -> AsyncIterator[Database]:
    with templates.clone(request.param) as url:
        database = Database(database_url(settings_for(url)), pool_size=4)
        yield database
        await database.close()


@pytest.fixture
def service(database: Database) -> SessionService:
    return SessionService(database)


@pytest.fixture
def asha() -> Principal:
    return person()


@pytest.fixture
def stranger() -> Principal:
    return person()


@pytest.fixture
def new_person() -> Callable[..., Principal]:
    return person


@pytest.fixture(scope="session")
def paced_model() -> Iterator[str]:
    """The scripted model at the pace of a quick person's reading, as a provider of its own."""
    with serving(create_model(pace_seconds=0.005)) as (url, _):
        yield f"{url}/v1"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def chatting(
    request: pytest.FixtureRequest, templates: Templates, booking_url: str, paced_model: str
) -> Iterator[Product]:
    """The product with the paced model, on each database."""
    with (
        templates.clone(request.param) as url,
        product(settings_for(url, **by_model(paced_model)), booking_url=booking_url) as running,
    ):
        yield running
