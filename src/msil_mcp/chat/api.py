"""/api/chat/sessions: conversations, their messages and branches, and what they amount to.

Messages are said and answered by turns; here they are read. `app.state`: `database`,
`chat` and `admin_audit`.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from starlette.requests import Request

from msil_mcp.chat.errors import (
    CannotBranch,
    CannotRate,
    MessageNotFound,
    RunActive,
    SessionNotFound,
)
from msil_mcp.chat.export import MEDIA_TYPES, SUFFIXES, Format
from msil_mcp.chat.models import ChatSession
from msil_mcp.chat.runtime import Chat, chat_of
from msil_mcp.chat.session_service import SessionChange, SessionService
from msil_mcp.chat.sessions import SessionFilters, Shelf
from msil_mcp.chat.shown import shown_with
from msil_mcp.chat.turn_views import AskedView, MessagesPage, RunSummary
from msil_mcp.chat.views import (
    BranchBody,
    Branches,
    BranchFilter,
    FeedbackBody,
    ForkView,
    Id,
    MessageView,
    RunView,
    SessionBody,
    SessionDetail,
    SessionPatch,
    SessionView,
    StatisticsView,
    SummaryView,
    ToolUseView,
)
from msil_mcp.db.database import database_of
from msil_mcp.errors import MsilError
from msil_mcp.locales import language_of
from msil_mcp.pagination import Cursor, Limit, Page
from msil_mcp.principal import Principal, require

router = APIRouter(prefix="/api/chat/sessions", tags=["chat"])
User = Annotated[Principal, Depends(require("chat:use"))]
At = Annotated[Chat, Depends(chat_of)]


def sessions_of(request: Request) -> SessionService:
    """The application's sessions."""
    chat_of(request)
    return SessionService(database_of(request))


Service = Annotated[SessionService, Depends(sessions_of)]


def _responses(*errors: type[MsilError]) -> dict[int | str, dict[str, Any]]:
    return {error.status: {"description": error.title} for error in errors}


async def readable(principal: User, service: Service, session_id: Id) -> ChatSession:
    """The session in the path, for its owner: others read it masked, at /api/conversations."""
    chat = await service.get(principal, session_id)
    if chat.owner_id != principal.id:
        raise SessionNotFound
    return chat


Readable = Annotated[ChatSession, Depends(readable)]


def _filters(
    q: Annotated[
        str | None, Query(max_length=200, description="Looked for in titles and in what was said.")
    ] = None,
    shelf: Shelf = "active",
    pinned: bool | None = None,
) -> SessionFilters:
    return SessionFilters(search=q, shelf=shelf, pinned=pinned)


Wanted = Annotated[SessionFilters, Depends(_filters)]


@router.get("")
async def list_sessions(
    principal: User, service: Service, wanted: Wanted, limit: Limit = 50, cursor: Cursor = None
) -> Page[SessionView]:
    """Pinned ones first, then the last active first."""
    rows, following = await service.list_sessions(principal, wanted, cursor=cursor, limit=limit)
    return Page(items=[SessionView.model_validate(row) for row in rows], next_cursor=following)


@router.post("", status_code=201)
async def create_session(body: SessionBody, principal: User, service: Service) -> SessionView:
    """Begin a conversation."""
    facts = body.model_dump(exclude={"metadata"})
    chat = await service.create(principal, **facts, attributes=body.metadata)
    return SessionView.model_validate(chat)


@router.get("/{session_id}", responses=_responses(SessionNotFound))
async def read_session(chat: Readable, principal: User, service: Service) -> SessionDetail:
    """One conversation, whether it is being answered, and whether its beginning is summarised."""
    run = await service.active_run(principal, chat.id)
    summary = await service.summary(principal, chat.id)
    return SessionDetail(
        session=SessionView.model_validate(chat),
        active_run=None if run is None else RunView.model_validate(run),
        summary=None if summary is None else SummaryView.model_validate(summary),
    )


@router.patch("/{session_id}", responses=_responses(SessionNotFound))
async def change_session(
    session_id: Id, body: SessionPatch, principal: User, service: Service
) -> SessionView:
    """Rename, pin, archive, or choose another language or model."""
    facts = body.model_dump(exclude={"metadata"})
    change = SessionChange(**facts, attributes=body.metadata)
    return SessionView.model_validate(await service.update(principal, session_id, change))


@router.delete("/{session_id}", status_code=204, responses=_responses(SessionNotFound))
async def delete_session(
    session_id: Id, principal: User, service: Service, chat: At, request: Request
) -> None:
    """Delete a conversation; it can be restored until retention removes it."""
    language = language_of(request.scope)
    ended = await service.delete(principal, session_id, language=language)
    if ended is not None:
        await chat.runs.ended(ended, by=principal, language=language)


@router.post("/{session_id}/restore", responses=_responses(SessionNotFound))
async def restore_session(session_id: Id, principal: User, service: Service) -> SessionView:
    """Undo a deletion."""
    return SessionView.model_validate(await service.restore(principal, session_id))


@router.get("/{session_id}/messages", responses=_responses(SessionNotFound))
async def read_messages(
    request: Request,
    chat: Readable,
    principal: User,
    service: Service,
    branch: BranchFilter = "active",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> MessagesPage:
    """The newest page, oldest message first; the next page is the one before it."""
    rows, following = await service.messages(
        principal, chat.id, every_branch=branch == "all", cursor=cursor, limit=limit
    )
    shown = await shown_with(database_of(request), chat, rows)
    return MessagesPage(
        items=[MessageView.model_validate(row) for row in rows],
        next_cursor=following,
        tool_uses=[ToolUseView.model_validate(use) for use in shown.tool_uses],
        approvals=[AskedView.model_validate(row) for row in shown.approvals],
        runs=[RunSummary.model_validate(run) for run in shown.runs],
    )


@router.put(
    "/{session_id}/messages/{message_id}/feedback",
    responses=_responses(SessionNotFound, MessageNotFound, CannotRate),
)
async def rate_message(
    session_id: Id, message_id: Id, body: FeedbackBody, principal: User, service: Service
) -> MessageView:
    """Say what an answer was worth."""
    message = await service.rate(
        principal, session_id, message_id, rating=body.rating, comment=body.comment
    )
    return MessageView.model_validate(message)


@router.get("/{session_id}/branches", responses=_responses(SessionNotFound))
async def read_branches(chat: Readable, principal: User, service: Service) -> Branches:
    """Where the conversation was continued in several ways."""
    found = await service.branches(principal, chat.id)
    return Branches(head_id=chat.head_id, forks=[ForkView.model_validate(fork) for fork in found])


@router.post(
    "/{session_id}/branches",
    status_code=201,
    responses=_responses(SessionNotFound, MessageNotFound, RunActive, CannotBranch),
)
async def add_branch(
    session_id: Id, body: BranchBody, principal: User, service: Service
) -> MessageView:
    """Get ready to answer in another way: edit and resend, or regenerate; gives the head."""
    head = await service.branch_from(principal, session_id, body.message_id, text=body.text)
    return MessageView.model_validate(head)


@router.put(
    "/{session_id}/branches/{message_id}",
    responses=_responses(SessionNotFound, MessageNotFound, RunActive),
)
async def choose_branch(
    session_id: Id, message_id: Id, principal: User, service: Service
) -> SessionView:
    """Continue where the branch through a message was left."""
    return SessionView.model_validate(
        await service.switch_branch(principal, session_id, message_id)
    )


@router.get("/{session_id}/executions", responses=_responses(SessionNotFound))
async def read_executions(
    chat: Readable,
    principal: User,
    service: Service,
    message_id: Annotated[str | None, Query(pattern=r"^[0-9a-f]{1,40}$")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ToolUseView]:
    """What tools did in the conversation, or for one message, in order."""
    rows, following = await service.tool_executions(
        principal, chat.id, message_id=message_id, cursor=cursor, limit=limit
    )
    return Page(items=[ToolUseView.model_validate(row) for row in rows], next_cursor=following)


@router.get("/{session_id}/summaries", responses=_responses(SessionNotFound))
async def read_summaries(
    chat: Readable, principal: User, service: Service, limit: Limit = 50, cursor: Cursor = None
) -> Page[SummaryView]:
    """What the model was told instead of earlier messages, over all branches, in order."""
    rows, following = await service.summaries(principal, chat.id, cursor=cursor, limit=limit)
    return Page(items=[SummaryView.model_validate(row) for row in rows], next_cursor=following)


@router.get("/{session_id}/statistics", responses=_responses(SessionNotFound))
async def read_statistics(chat: Readable, principal: User, service: Service) -> StatisticsView:
    """What the conversation amounts to, over all branches."""
    return StatisticsView.model_validate(await service.statistics(principal, chat.id))


@router.get("/{session_id}/export", responses=_responses(SessionNotFound))
async def export_session(
    chat: Readable,
    principal: User,
    service: Service,
    request: Request,
    format: Annotated[Format, Query()] = "json",  # noqa: A002 the parameter's name
    tools: bool = True,
) -> StreamingResponse:
    """The conversation as a file, with personal data masked."""
    conversation = await service.export(principal, chat.id, with_tools=tools)
    name = f'attachment; filename="conversation-{chat.id}.{SUFFIXES[format]}"'
    headers = {"Content-Disposition": name}
    language = language_of(request.scope)
    parts = conversation.stream(format, language=language)
    return StreamingResponse(parts, media_type=MEDIA_TYPES[format], headers=headers)
