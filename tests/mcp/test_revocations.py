"""Ended sessions on both databases: durable, known to others, forgotten when they would be over."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select

from databases import Templates, settings_for
from msil_mcp.bus import MemoryBus
from msil_mcp.db.database import Database, database_url
from msil_mcp.mcp import revocations
from msil_mcp.mcp.revocations import RevokedSession, StoredRevocations

pytestmark = pytest.mark.anyio

LATER = int(time.time()) + 3600


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, templates: Templates) -> AsyncIterator[Database]:
    with templates.clone(request.param) as url:
        database = Database(database_url(settings_for(url)))
        yield database
        await database.close()


async def started(database: Database, bus: MemoryBus) -> StoredRevocations:
    await bus.start()
    stored = StoredRevocations(database=database, bus=bus)
    await stored.start()
    return stored


async def test_an_ended_session_is_known_to_who_starts_later(database: Database) -> None:
    first = await started(database, MemoryBus())
    await first.revoke("s1", expires_at=LATER)
    await first.revoke("s1", expires_at=LATER)

    second = await started(database, MemoryBus())

    assert first.is_revoked("s1")
    assert second.is_revoked("s1")
    assert not second.is_revoked("s2")
    await first.close()
    await second.close()


async def test_one_that_was_not_told_finds_out_by_itself(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "RELOAD_SECONDS", 0.01)
    deaf = await started(database, MemoryBus())
    other_bus = MemoryBus()
    other = await started(database, other_bus)
    await other_bus.close()

    await other.revoke("s1", expires_at=LATER)
    async with asyncio.timeout(10):
        while not deaf.is_revoked("s1"):
            assert await database.healthy()

    await deaf.close()
    await other.close()


async def test_rows_go_when_their_sessions_would_have_expired(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "RELOAD_SECONDS", 0.01)
    stored = await started(database, MemoryBus())
    await stored.revoke("old", expires_at=int(time.time()) - 10)

    async def rows() -> int:
        async with database.reading() as session:
            query = select(func.count()).select_from(RevokedSession)
            return (await session.execute(query)).scalar_one()

    async with asyncio.timeout(10):
        while await rows():
            pass
    await stored.close()
