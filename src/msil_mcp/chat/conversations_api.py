"""/api/conversations: what people talked about with the assistant, for those who may look.

Personal data is masked as the tools declare it and by its looks; every look is recorded.
`app.state`: `database` and `admin_audit`.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from msil_mcp.chat.errors import SessionNotFound
from msil_mcp.chat.export import Conversation, ExportedMessage
from msil_mcp.chat.masks import ConversationMasks
from msil_mcp.chat.messages import branch_ids
from msil_mcp.chat.models import ChatSession, MessageStatus, Rating, Role, SequenceNumber
from msil_mcp.chat.oversight import (
    ConversationFilters,
    Deleted,
    conversation,
    find_conversations,
)
from msil_mcp.chat.statistics import statistics_of
from msil_mcp.chat.views import Id, StatisticsView
from msil_mcp.db.database import Database, database_of, translated_errors
from msil_mcp.identity.names import names_of
from msil_mcp.pagination import BadCursor, Cursor, Limit, Moment, Page, decode_cursor, page_of
from msil_mcp.principal import Principal, require
from msil_mcp.problems import problems

router = APIRouter(prefix="/api/conversations", tags=["conversations"])
Overseer = Annotated[Principal, Depends(require("chat:read_all"))]
Db = Annotated[Database, Depends(database_of)]


class ConversationLine(BaseModel):
    """A conversation without what was said; its title is masked.

    `owner_name` is null for a caller whom only the identity provider knows.
    """

    id: str
    owner_id: str
    owner_name: str | None
    title: str
    language: str | None
    model: str | None
    messages: int
    archived: bool
    created_at: datetime
    last_message_at: datetime | None
    deleted_at: datetime | None


class ConversationDetail(ConversationLine):
    """A conversation and what it amounts to."""

    statistics: StatisticsView


class _Said(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SaidCall(_Said):
    """A tool call of a conversation; arguments and result are masked, the time in milliseconds."""

    tool: str
    arguments: dict[str, Any] | None
    outcome: str
    result: Any
    error: str | None
    duration_ms: float | None
    at: datetime | None


class SaidMessage(_Said):
    """A message as others than its owner see it, masked; `on_branch` when it was not left."""

    id: str
    parent_id: str | None
    on_branch: bool
    role: Role
    status: MessageStatus
    at: datetime
    model: str | None
    text: str
    rating: Rating | None
    comment: str | None
    tool_calls: list[SaidCall]


def _filters(
    q: Annotated[
        str | None, Query(max_length=200, description="Looked for in titles and in what was said.")
    ] = None,
    owner: Annotated[
        str | None, Query(pattern=r"^[^\x00-\x1f]{1,500}$", description="Whose.")
    ] = None,
    since: Annotated[
        Moment | None, Query(description="Active from this time on; UTC without a zone.")
    ] = None,
    until: Annotated[
        Moment | None, Query(description="Active before this time; UTC without a zone.")
    ] = None,
    deleted: Annotated[
        Deleted, Query(description="Also, or only, those deleted and not yet gone.")
    ] = "without",
) -> ConversationFilters:
    return ConversationFilters(search=q, owner_id=owner, since=since, until=until, deleted=deleted)


@router.get("", responses=problems(BadCursor))
async def list_conversations(
    principal: Overseer,
    request: Request,
    database: Db,
    wanted: Annotated[ConversationFilters, Depends(_filters)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ConversationLine]:
    """Conversations of everybody, the last active first."""
    await _note(request, principal, "chat_sessions", owner=wanted.owner_id, search=wanted.search)
    with translated_errors():
        async with database.reading(may_lag=True) as session:
            rows, following = await find_conversations(session, wanted, cursor=cursor, limit=limit)
            names = await names_of(session, {row.owner_id for row in rows})
    masks = ConversationMasks()
    items = [_line(row, names.get(row.owner_id), masks=masks) for row in rows]
    return Page(items=items, next_cursor=following)


@router.get("/{session_id}", responses=problems(SessionNotFound))
async def read_conversation(
    session_id: Id, principal: Overseer, request: Request, database: Db
) -> ConversationDetail:
    """One conversation and what it amounts to."""
    chat = await _looked_at(request, principal, database, session_id)
    with translated_errors():
        async with database.reading() as session:
            names = await names_of(session, {chat.owner_id})
            statistics = await statistics_of(session, chat.id)
        masks = await Conversation(database, chat, frozenset(), with_tools=False).veil()
    line = _line(chat, names.get(chat.owner_id), masks=masks)
    return ConversationDetail(
        **line.model_dump(), statistics=StatisticsView.model_validate(statistics)
    )


@router.get("/{session_id}/messages", responses=problems(SessionNotFound, BadCursor))
async def read_said(
    session_id: Id,
    principal: Overseer,
    request: Request,
    database: Db,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[SaidMessage]:
    """What was said and called, over all branches, the oldest first; masked."""
    after = decode_cursor(cursor, tuple[SequenceNumber])[0] if cursor else 0
    chat = await _looked_at(request, principal, database, session_id)
    with translated_errors():
        async with database.reading() as session:
            branch = await branch_ids(session, chat)
        whole = Conversation(database, chat, frozenset(branch), with_tools=True)
        found = await whole.page(await whole.veil(), after=after, limit=limit + 1)
    kept, following = page_of(found, limit=limit, key=lambda one: (one[0],))
    return Page(items=[_said(message) for _, message in kept], next_cursor=following)


async def _looked_at(
    request: Request, principal: Principal, database: Database, session_id: str
) -> ChatSession:
    """The conversation, once it is on the record who looks; SessionNotFound."""
    with translated_errors():
        async with database.reading() as session:
            chat = await conversation(session, session_id)
    if chat is None:
        raise SessionNotFound
    await _note(request, principal, f"chat_session:{chat.id}", owner=chat.owner_id)
    return chat


async def _note(request: Request, principal: Principal, target: str, **details: Any) -> None:
    await request.app.state.admin_audit(
        principal=principal,
        action="chat.read",
        target=target,
        details={"path": request.url.path}
        | {name: value for name, value in details.items() if value is not None},
        correlation_id=request.scope.get("state", {}).get("correlation_id"),
    )


def _line(
    chat: ChatSession, owner_name: str | None, *, masks: ConversationMasks
) -> ConversationLine:
    return ConversationLine(
        id=chat.id,
        owner_id=chat.owner_id,
        owner_name=owner_name,
        title=masks.text(chat.title),
        language=chat.language,
        model=chat.model,
        messages=chat.next_sequence - 1,
        archived=chat.archived,
        created_at=chat.created_at,
        last_message_at=chat.last_message_at,
        deleted_at=chat.deleted_at,
    )


def _said(message: ExportedMessage) -> SaidMessage:
    return SaidMessage.model_validate(message)
