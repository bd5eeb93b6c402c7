"""Conversations of everybody, for those who may read them: found by what was said, shown masked.

Who reads is on the record; see `msil_mcp.chat.conversations_api`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.models import AwareMoment, ChatSession, IdText
from msil_mcp.chat.parts import folded
from msil_mcp.chat.sessions import says
from msil_mcp.db.database import UtcDateTime
from msil_mcp.pagination import decode_cursor, page_of

Deleted = Literal["without", "with", "only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilters:
    """Which conversations; every given condition must hold.

    `since` and `until` are of the last activity; `search` is looked for in titles and in what was
    said.
    """

    search: str | None = None
    owner_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    deleted: Deleted = "without"


async def find_conversations(
    session: AsyncSession, wanted: ConversationFilters, *, cursor: str | None, limit: int
) -> tuple[list[ChatSession], str | None]:
    """A page, the last active first, and the cursor of the next."""
    row = ChatSession
    query = select(row).order_by(row.active_at.desc(), row.id.desc())
    if wanted.deleted != "with":
        gone = wanted.deleted == "only"
        query = query.where(row.deleted_at.is_not(None) if gone else row.deleted_at.is_(None))
    if wanted.owner_id is not None:
        query = query.where(row.owner_id == wanted.owner_id)
    if wanted.since is not None:
        query = query.where(row.active_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(row.active_at < wanted.until)
    if needle := folded(wanted.search or ""):
        query = query.where(says(needle))
    if cursor is not None:
        active_at, session_id = decode_cursor(cursor, tuple[AwareMoment, IdText])
        last = tuple_(literal(active_at, UtcDateTime()), literal(session_id))
        query = query.where(tuple_(row.active_at, row.id) < last)
    rows = (await session.scalars(query.limit(limit + 1))).all()
    return page_of(rows, limit=limit, key=lambda one: (one.active_at.isoformat(), one.id))


async def conversation(session: AsyncSession, session_id: str) -> ChatSession | None:
    """One conversation, also a deleted one while it is kept."""
    return await session.get(ChatSession, session_id)
