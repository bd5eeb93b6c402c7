"""Forgetting: deleted conversations go for good, and nothing else does."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from chat.conversations import answer, execution, say, summary, user
from msil_mcp.chat.errors import SessionNotFound
from msil_mcp.chat.models import ChatMessage, ChatRun, ChatSession
from msil_mcp.chat.parts import TextPart
from msil_mcp.chat.retention import PURGE, purge_deleted, purging
from msil_mcp.chat.session_service import SessionService
from msil_mcp.chat.summaries import ChatSummary
from msil_mcp.db.database import Database
from msil_mcp.governance.executions import ToolExecution
from msil_mcp.jobs import JobRunner
from msil_mcp.principal import Principal

pytestmark = pytest.mark.anyio

NOW = timedelta(seconds=-1)


async def test_what_was_deleted_long_ago_is_gone_with_its_words(
    service: SessionService, database: Database, asha: Principal
) -> None:
    gone, kept = await service.create(asha), await service.create(asha)
    for chat in (gone, kept):
        said_there = await say(
            service, asha, chat, user("my number is 9876543210"), answer("thanks")
        )
        async with database.unit_of_work() as session:
            session.add_all([execution(chat), summary("9876543210", until=said_there[1])])
    await service.delete(asha, gone.id)
    await purge_deleted(database, kept_for=timedelta(days=30))
    assert (await service.restore(asha, gone.id)).id == gone.id
    await service.delete(asha, gone.id)
    assert await purge_deleted(database, kept_for=NOW) >= 1
    with pytest.raises(SessionNotFound):
        await service.restore(asha, gone.id)
    async with database.reading() as session:
        said = select(ChatMessage.session_id, func.count()).group_by(ChatMessage.session_id)
        counts = dict(iter(await session.execute(said)))
        calls = select(ToolExecution).where(ToolExecution.session_id.in_((gone.id, kept.id)))
        rows = {row.session_id: row for row in await session.scalars(calls)}
        query = select(ChatSummary.session_id)
        summarised = set(
            await session.scalars(query.where(ChatSummary.session_id.in_((gone.id, kept.id))))
        )
    assert (counts.get(gone.id), counts[kept.id]) == (None, 2)
    assert summarised == {kept.id}
    assert (rows[gone.id].arguments, rows[gone.id].result) == (None, None)
    assert rows[gone.id].state == "succeeded"
    assert rows[kept.id].result is not None


async def test_more_than_a_batch_is_purged_at_once(
    service: SessionService, database: Database, asha: Principal
) -> None:
    for number in range(103):
        chat = await service.create(asha, title=str(number))
        await service.delete(asha, chat.id)
    assert await purge_deleted(database, kept_for=NOW) >= 103
    async with database.reading() as session:
        query = select(func.count()).where(ChatSession.owner_id == asha.id)
        assert (await session.execute(query)).scalar_one() == 0


async def test_a_session_that_is_still_answered_waits(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat = await service.create(asha)
    await service.begin_run(asha, chat.id, (TextPart("hello"),), owner="a")
    await service.delete(asha, chat.id)
    await purge_deleted(database, kept_for=NOW)
    async with database.reading() as session:
        query = select(func.count()).where(ChatRun.session_id == chat.id)
        assert (await session.execute(query)).scalar_one() == 1


async def test_the_jobs_runner_takes_the_purge_as_it_is(database: Database) -> None:
    handler = purging(database, kept_for=timedelta(days=30))
    JobRunner(database, {PURGE: handler}, owner="test").every(3600, PURGE)
    await handler({})
