"""Who waits for a lock of PostgreSQL, so that a test can bring two transactions where they meet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from databases import Templates, settings_for
from msil_mcp.db.database import Database, database_url
from product.polling import eventually

WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@asynccontextmanager
async def on_postgresql(templates: Templates) -> AsyncIterator[Database]:
    """A migrated database of the test's own."""
    with templates.clone("postgresql") as url:
        database = Database(database_url(settings_for(url)))
        try:
            yield database
        finally:
            await database.close()


async def waiters(database: Database) -> int:
    """How many connections of a PostgreSQL database wait for a lock."""
    async with database.reading() as session:
        return int((await session.scalars(WAITING)).one())


async def until_waiting(database: Database, count: int = 1) -> None:
    """Returns once so many wait."""

    async def so() -> bool:
        return await waiters(database) == count

    await eventually(so, within=10)


async def until_done_or_waiting(
    database: Database, work: "asyncio.Task[object]", count: int
) -> None:
    """Returns once the work is done, or so many wait, one of them for it."""

    async def so() -> bool:
        return work.done() or await waiters(database) == count

    await eventually(so, within=10)
