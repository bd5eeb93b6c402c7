"""Sessions over each database; every test is a person of its own, so that tests share it."""

from collections.abc import AsyncIterator, Callable
from itertools import count

import pytest

from databases import Templates, settings_for
from msil_mcp.chat.session_service import SessionService
from msil_mcp.db.database import Database, database_url
from msil_mcp.principal import BUILTIN_ROLES, Principal

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
