"""When keys were last used: noted at once, written later, never lost to a database at fault."""

import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from msil_mcp.db.database import Database
from msil_mcp.identity.tables import ApiKey

pytestmark = pytest.mark.anyio
ME = "/api/auth/me"


async def last_used(world):
    async with world.database.reading() as session:
        return await session.scalar(select(ApiKey.last_used_at))


async def test_what_was_noted_is_written_when_the_process_ends(world):
    await world.client.get(ME, headers=await world.key())
    running = asyncio.create_task(world.identity.usage.run(world.database))
    await asyncio.sleep(0)
    assert await last_used(world) is None

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert await last_used(world) is not None


async def test_what_cannot_be_written_is_kept_for_the_next_time(world, tmp_path):
    await world.client.get(ME, headers=await world.key())
    empty = Database(URL.create("sqlite+aiosqlite", database=str(tmp_path / "empty.db")))

    with pytest.raises(SQLAlchemyError):
        await world.identity.usage.flush(empty)
    await empty.close()

    assert await world.identity.usage.flush(world.database) == 1
    assert await last_used(world) is not None


async def test_loop_survives_a_database_at_fault(world, tmp_path):
    await world.client.get(ME, headers=await world.key())
    failed = asyncio.Event()

    class Failing(Database):
        def unit_of_work(self):
            failed.set()
            return super().unit_of_work()

    empty = Failing(URL.create("sqlite+aiosqlite", database=str(tmp_path / "empty.db")))
    running = asyncio.create_task(world.identity.usage.run(empty, every=0.001))
    await failed.wait()
    failed.clear()
    await failed.wait()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await empty.close()
    assert await world.identity.usage.flush(world.database) == 1
