"""Finding and listing sessions. Who may see one is decided here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.errors import SessionNotFound
from msil_mcp.chat.models import AwareMoment, ChatMessage, ChatSession, IdText
from msil_mcp.chat.parts import folded
from msil_mcp.db.database import UtcDateTime
from msil_mcp.pagination import decode_cursor, page_of
from msil_mcp.principal import Principal

Shelf = Literal["active", "archived", "all"]


@dataclass(frozen=True, slots=True)
class SessionFilters:
    """What to list; every given condition must hold.

    `search` is looked for in titles and in what was said. `owner_id` is for those who may read
    every conversation; without it, one's own.
    """

    search: str | None = None
    shelf: Shelf = "active"
    pinned: bool | None = None
    owner_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChange:
    """What to change about a session; None leaves it, empty is the default model or language."""

    title: str | None = None
    pinned: bool | None = None
    archived: bool | None = None
    language: str | None = None
    model: str | None = None
    attributes: Mapping[str, Any] | None = None


class Sessions:
    """Queries over sessions that are not deleted."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def readable_by(self, principal: Principal, session_id: str) -> ChatSession:
        """The session, for its owner or for who may read all; SessionNotFound for others."""
        query = _present(session_id)
        if not principal.may("chat:read_all"):
            query = query.where(ChatSession.owner_id == principal.id)
        return await self._one(query)

    async def owned_by(
        self, principal: Principal, session_id: str, *, lock: bool = True
    ) -> ChatSession:
        """The session, for its owner alone, its row locked until the transaction ends."""
        query = _present(session_id).where(ChatSession.owner_id == principal.id)
        return await self._one(query.with_for_update() if lock else query)

    async def deleted_of(self, principal: Principal, session_id: str) -> ChatSession:
        """A deleted session, for its owner, its row locked."""
        query = select(ChatSession).where(
            ChatSession.id == session_id,
            ChatSession.owner_id == principal.id,
            ChatSession.deleted_at.is_not(None),
        )
        return await self._one(query.with_for_update())

    async def named(self, principal: Principal, name: str) -> ChatSession | None:
        """The owner's session with this id, or with this key of the owner's own."""
        query = select(ChatSession).where(
            ChatSession.owner_id == principal.id,
            ChatSession.deleted_at.is_(None),
            or_(ChatSession.id == name, ChatSession.key == name),
        )
        return (await self._session.scalars(query.limit(1))).one_or_none()

    async def page(
        self, principal: Principal, filters: SessionFilters, *, cursor: str | None, limit: int
    ) -> tuple[list[ChatSession], str | None]:
        """Pinned ones first, then the last active first; and the cursor of the next page."""
        query = _listed(_owner(principal, filters), filters)
        if cursor is not None:
            query = query.where(_after(*decode_cursor(cursor, tuple[bool, AwareMoment, IdText])))
        rows = (await self._session.scalars(query.limit(limit + 1))).all()
        return page_of(rows, limit=limit, key=_key)

    async def _one(self, query: Select[ChatSession]) -> ChatSession:
        found = (await self._session.scalars(query)).one_or_none()
        if found is None:
            raise SessionNotFound
        return found


def _present(session_id: str) -> Select[ChatSession]:
    return select(ChatSession).where(ChatSession.id == session_id, ChatSession.deleted_at.is_(None))


def _owner(principal: Principal, filters: SessionFilters) -> str:
    if filters.owner_id is None or filters.owner_id == principal.id:
        return principal.id
    if not principal.may("chat:read_all"):
        raise SessionNotFound
    return filters.owner_id


def _listed(owner_id: str, filters: SessionFilters) -> Select[ChatSession]:
    query = (
        select(ChatSession)
        .where(ChatSession.owner_id == owner_id, ChatSession.deleted_at.is_(None))
        .order_by(ChatSession.pinned.desc(), ChatSession.active_at.desc(), ChatSession.id.desc())
    )
    if filters.shelf != "all":
        query = query.where(ChatSession.archived.is_(filters.shelf == "archived"))
    if filters.pinned is not None:
        query = query.where(ChatSession.pinned.is_(filters.pinned))
    needle = folded(filters.search or "")
    return query.where(says(needle)) if needle else query


def says(needle: str) -> ColumnElement[bool]:
    """Whether a session's title or something said in it holds the folded text."""
    # One look a session, in the order of the list, until the page is full: as EXISTS, PostgreSQL
    # would read the messages of everybody first.
    said = (
        select(ChatMessage.id)
        .where(ChatMessage.session_id == ChatSession.id)
        .where(ChatMessage.folded_text.contains(needle, autoescape=True))
        .limit(1)
        .scalar_subquery()
    )
    in_title = ChatSession.folded_title.contains(needle, autoescape=True)
    return or_(in_title, said.is_not(None))


def _after(pinned: bool, active_at: datetime, session_id: str) -> ColumnElement[bool]:
    last = tuple_(literal(pinned), literal(active_at, UtcDateTime()), literal(session_id))
    return tuple_(ChatSession.pinned, ChatSession.active_at, ChatSession.id) < last


def _key(row: ChatSession) -> tuple[bool, str, str]:
    return row.pinned, row.active_at.isoformat(), row.id
