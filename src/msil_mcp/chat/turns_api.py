"""/api/chat: say something, follow the answer, stop it, and decide what it asks.

`app.state`: `chat` (runtime.Chat), `database`, `bus` and `admin_audit`.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from msil_mcp.chat import wire
from msil_mcp.chat.api import At, Readable, Service, User
from msil_mcp.chat.confirming import Decision
from msil_mcp.chat.errors import CannotBranch, MessageNotFound, RunActive, SessionNotFound
from msil_mcp.chat.executions import as_use
from msil_mcp.chat.models import ChatMessage, ChatRun
from msil_mcp.chat.parts import spoken_text
from msil_mcp.chat.runtime import Chat
from msil_mcp.chat.speaking import spoken
from msil_mcp.chat.tailing import Place, Tail, run_of, until_settled
from msil_mcp.chat.turn_errors import BadEdit, BudgetSpent, NothingAsked, RunNotFound
from msil_mcp.chat.turn_views import (
    ApprovalId,
    AskedView,
    DecisionBody,
    DecisionView,
    RunSummary,
    SendBody,
    SendView,
    TurnBody,
    TurnView,
)
from msil_mcp.chat.turns import Ask, Begun
from msil_mcp.chat.views import Id, MessageView, ToolUseView
from msil_mcp.errors import MsilError
from msil_mcp.governance.api import record_decision
from msil_mcp.governance.approvals import Approval, ApprovalUsed, UnknownApproval
from msil_mcp.governance.executions import ToolExecution
from msil_mcp.locales import Language, language_of
from msil_mcp.locales.views import answering

router = APIRouter(prefix="/api/chat", tags=["chat"])


def _responses(*errors: type[MsilError]) -> dict[int | str, dict[str, Any]]:
    return {error.status: {"description": error.title} for error in errors}


def _correlation(request: Request) -> str:
    found: str = request.scope["state"]["correlation_id"]
    return found


def _begun(begun: Begun, session_id: str) -> TurnView:
    return TurnView(
        run_id=begun.run.id,
        session_id=session_id,
        message_id=begun.message_id,
        state=begun.run.state,
        events=f"/api/chat/sessions/{session_id}/turns/{begun.run.id}/events",
    )


@router.post(
    "/sessions/{session_id}/turns",
    status_code=202,
    responses=_responses(
        SessionNotFound, MessageNotFound, RunActive, CannotBranch, NothingAsked, BudgetSpent
    ),
)
async def begin_turn(
    session_id: Id, body: TurnBody, principal: User, chat: At, request: Request
) -> TurnView:
    """Say something. It is stored before this answers; the answer is made whoever listens."""
    begun = await chat.runs.submit(
        principal,
        session_id,
        body.ask(),
        correlation_id=_correlation(request),
        language=language_of(request.scope),
    )
    return _begun(begun, session_id)


@router.get(
    "/sessions/{session_id}/turns/{run_id}", responses=_responses(SessionNotFound, RunNotFound)
)
async def read_turn(session: Readable, run_id: Id, chat: At) -> RunSummary:
    """A turn, and what it took."""
    return RunSummary.model_validate(await run_of(chat.parts.database, session.id, run_id))


@router.get(
    "/sessions/{session_id}/turns/{run_id}/events",
    responses=_responses(SessionNotFound, RunNotFound),
    response_class=StreamingResponse,
)
async def follow_turn(
    session: Readable,
    run_id: Id,
    chat: At,
    request: Request,
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
    after: Annotated[str | None, Query(max_length=40, description="As Last-Event-ID.")] = None,
) -> StreamingResponse:
    """The answer as a UI message stream, from its beginning or after a chunk, at any time."""
    run = await run_of(chat.parts.database, session.id, run_id)
    tail = Tail(
        database=chat.parts.database,
        bus=chat.parts.bus,
        run=run,
        after=Place.read(last_event_id or after),
        language=spoken(session.language, otherwise=language_of(request.scope)),
    )

    async def stream() -> AsyncIterator[bytes]:
        async with aclosing(tail.events(chat.runs.closing)) as events:
            async for event in events:
                yield event

    return StreamingResponse(stream(), media_type="text/event-stream", headers=wire.HEADERS)


@router.post(
    "/sessions/{session_id}/stop",
    status_code=202,
    responses=_responses(SessionNotFound, RunNotFound),
)
async def stop_turn(session_id: Id, principal: User, chat: At, request: Request) -> RunSummary:
    """End the answer under way, wherever it is made; a write that was sent is still recorded."""
    language = language_of(request.scope)
    run = await chat.runs.stop(principal, session_id, language=language)
    return RunSummary.model_validate(run)


@router.get("/sessions/{session_id}/approvals", responses=_responses(SessionNotFound))
async def read_asked(
    session: Readable, chat: At, request: Request, response: Response
) -> list[AskedView]:
    """What the conversation asks a person now."""
    return await _asked(chat, session.id, answering(request, response))


@router.post(
    "/sessions/{session_id}/approvals/{approval_id}/decision",
    status_code=202,
    responses=_responses(SessionNotFound, UnknownApproval, ApprovalUsed, BadEdit),
)
async def decide(
    session_id: Id,
    approval_id: ApprovalId,
    body: DecisionBody,
    principal: User,
    chat: At,
    request: Request,
    response: Response,
) -> DecisionView:
    """Agree, decline, or change the arguments; the answer goes on when all is decided."""

    async def recorded(approval: Approval) -> None:
        await record_decision(request, principal=principal, approval=approval)

    run_id, approval = await chat.confirmations.decide(
        principal,
        session_id,
        approval_id,
        Decision(choice=body.decision, reason=body.reason, arguments=body.arguments),
        correlation_id=_correlation(request),
        language=language_of(request.scope),
        decided=recorded,
    )
    asked = AskedView.model_validate(approval, context=answering(request, response))
    return DecisionView(run_id=run_id, approval=asked)


@router.post("/send", responses=_responses(SessionNotFound, RunActive, BudgetSpent))
async def send(
    body: SendBody,
    principal: User,
    service: Service,
    chat: At,
    request: Request,
    response: Response,
) -> SendView:
    """Say something and wait for the whole answer, or until a person has to decide."""
    session = (
        await service.get_or_create(
            principal, body.session_id, language=body.language, model=body.model
        )
        if body.session_id
        else await service.create(principal, language=body.language, model=body.model)
    )
    begun = await chat.runs.submit(
        principal,
        session.id,
        Ask(text=body.message, client_id=body.client_id),
        correlation_id=_correlation(request),
        language=language_of(request.scope),
    )
    return await _sent(chat, await _settled(chat, begun.run), answering(request, response))


@router.post(
    "/sessions/{session_id}/turns/{run_id}/wait",
    responses=_responses(SessionNotFound, RunNotFound),
)
async def wait_for_turn(
    session: Readable, run_id: Id, chat: At, request: Request, response: Response
) -> SendView:
    """Wait until a turn has ended, or until a person has to decide; for scripts."""
    run = await run_of(chat.parts.database, session.id, run_id)
    return await _sent(chat, await _settled(chat, run), answering(request, response))


async def _settled(chat: Chat, run: ChatRun) -> ChatRun:
    parts = chat.parts
    return await until_settled(
        database=parts.database, bus=parts.bus, run=run, ending_now=chat.runs.closing
    )


async def _sent(chat: Chat, run: ChatRun, context: dict[str, Language]) -> SendView:
    async with chat.parts.database.reading() as session:
        message = None
        if run.assistant_message_id is not None:
            message = await session.get(ChatMessage, run.assistant_message_id)
        made = select(ToolExecution).where(
            ToolExecution.session_id == run.session_id, ToolExecution.run_id == run.id
        )
        uses = [as_use(row) for row in await session.scalars(made.order_by(ToolExecution.id))]
    return SendView(
        session_id=run.session_id,
        run_id=run.id,
        state=run.state,
        text=spoken_text(message.parts) if message else "",
        message=MessageView.model_validate(message) if message else None,
        tool_calls=[ToolUseView.model_validate(use) for use in uses],
        usage=RunSummary.model_validate(run),
        approvals=await _asked(chat, run.session_id, context),
    )


async def _asked(chat: Chat, session_id: str, context: dict[str, Language]) -> list[AskedView]:
    query = select(Approval).where(Approval.session_id == session_id, Approval.state == "pending")
    query = query.join(ChatRun, ChatRun.id == Approval.run_id).where(
        ChatRun.state == "waiting_approval"
    )
    async with chat.parts.database.reading() as session:
        found: Sequence[Approval] = (
            await session.scalars(query.order_by(Approval.created_at))
        ).all()
    waiting = [row for row in found if row.standing == "pending"]
    return [AskedView.model_validate(row, context=context) for row in waiting]
