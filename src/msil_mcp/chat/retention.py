"""Forgetting: what was deleted long enough ago is removed for good."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.models import ACTIVE_STATES, ChatRun, ChatSession
from msil_mcp.db.database import Database, utc_now
from msil_mcp.governance.executions import ToolExecution
from msil_mcp.jobs import Handler

PURGE: Final = "chat.purge"
"""The kind of the recurring job."""
PURGE_SECONDS: Final = 3_600.0
_BATCH: Final = 100

log = structlog.get_logger()


def purging(database: Database, *, kept_for: timedelta) -> Handler:
    """The job's handler: purge what has been deleted for longer than that."""

    async def purge(_payload: Mapping[str, Any]) -> None:
        await purge_deleted(database, kept_for=kept_for)

    return purge


async def purge_deleted(database: Database, *, kept_for: timedelta) -> int:
    """Remove sessions deleted longer ago than that, with messages and runs; returns how many.

    Arguments and results of their tool calls go too. That the calls were made stays, for their
    idempotency keys and beside the audit, which has a retention of its own.
    """
    before = utc_now() - kept_for
    purged = 0
    while True:
        async with database.unit_of_work() as session:
            found = await _purge_batch(session, before)
        purged += found
        if found < _BATCH:
            break
    if purged:
        log.info("chat_sessions_purged", sessions=purged)
    return purged


async def _purge_batch(session: AsyncSession, before: datetime) -> int:
    answered = exists().where(
        ChatRun.session_id == ChatSession.id, ChatRun.state.in_(ACTIVE_STATES)
    )
    query = (
        select(ChatSession.id)
        .where(ChatSession.deleted_at < before, ~answered)
        .order_by(ChatSession.deleted_at)
        .limit(_BATCH)
        .with_for_update(skip_locked=True, of=ChatSession)
    )
    ids = (await session.scalars(query)).all()
    if ids:
        await session.execute(
            update(ToolExecution)
            .where(ToolExecution.session_id.in_(ids), ToolExecution.origin == "chat")
            .values(arguments=None, result=None)
        )
        await session.execute(delete(ChatSession).where(ChatSession.id.in_(ids)))
    return len(ids)
