"""Writers of one process: each gets its turn, and nobody is passed over."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from databases import Templates, settings_for
from msil_mcp.db.database import Database, database_url

pytestmark = pytest.mark.anyio


@pytest.fixture
async def embedded(templates: Templates) -> AsyncIterator[Database]:
    with templates.clone("sqlite") as url:
        database = Database(database_url(settings_for(url)))
        yield database
        await database.close()


async def test_writers_of_the_embedded_database_are_served_as_they_come(
    embedded: Database,
) -> None:
    served: list[int] = []

    async def write(number: int) -> None:
        async with embedded.unit_of_work() as session:
            await session.execute(text("UPDATE snapshot_generation SET generation = generation"))
            served.append(number)
            await asyncio.sleep(0.005)

    await asyncio.gather(*(write(number) for number in range(60)))
    assert served == list(range(60))


async def test_a_writer_that_fails_or_is_cancelled_holds_nobody_up(embedded: Database) -> None:
    async def fail() -> None:
        async with embedded.unit_of_work() as session:
            await session.execute(text("UPDATE no_such_table SET x = 1"))

    async def linger() -> None:
        async with embedded.unit_of_work():
            await asyncio.Event().wait()

    with pytest.raises(SQLAlchemyError):
        await fail()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(linger(), 0.1)
    async with asyncio.timeout(2), embedded.unit_of_work() as session:
        await session.execute(text("UPDATE snapshot_generation SET generation = generation"))
