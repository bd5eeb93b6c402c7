"""A run's stream made again from what is stored of it."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat import wire
from msil_mcp.chat.executions import with_results
from msil_mcp.chat.ledger import NANOS
from msil_mcp.chat.models import ACTIVE_STATES, ChatMessage, ChatRun
from msil_mcp.chat.parts import (
    ApprovalPart,
    Part,
    Parts,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from msil_mcp.chat.summaries import made_in
from msil_mcp.governance.approvals import Approval
from msil_mcp.locales import Language, Message


async def stored_chunks(session: AsyncSession, run: ChatRun, *, language: Language) -> list[str]:
    """Everything the run has said, then its end if it has ended."""
    return [*await _said(session, run, language), *ending(run, language=language)]


async def said_chunks(session: AsyncSession, run: ChatRun, *, language: Language) -> list[str]:
    """Everything the run has said, as if it went on."""
    return await _said(session, run, language)


async def _said(session: AsyncSession, run: ChatRun, language: Language) -> list[str]:
    chunks = [wire.chunk("start", messageId=run.assistant_message_id)]
    made = await made_in(session, session_id=run.session_id, run_id=run.id)
    chunks += [summary.chunk for summary in made[-1:]]
    if run.assistant_message_id is None:
        return chunks
    message = await session.get(ChatMessage, run.assistant_message_id)
    if message is None:
        return chunks
    [parts] = await with_results(session, run.session_id, [message.parts])
    approvals = await _approvals(session, parts)
    chunks.append(wire.chunk("start-step"))
    chunks += [one for n, part in enumerate(parts) for one in _chunks(part, n, approvals, language)]
    chunks.append(wire.chunk("finish-step"))
    return chunks


async def cards_of(
    session: AsyncSession, parts: Sequence[Part], *, language: Language
) -> list[str]:
    """What has become of what a person was asked."""
    approvals = await _approvals(session, parts)
    return [
        wire.approval_card(part.call_id, approvals[part.approval_id], language=language)
        for part in parts
        if isinstance(part, ApprovalPart) and part.approval_id in approvals
    ]


async def _approvals(session: AsyncSession, parts: Sequence[Part]) -> dict[str, Approval]:
    wanted = {part.approval_id for part in parts if isinstance(part, ApprovalPart)}
    rows = await session.scalars(select(Approval).where(Approval.id.in_(wanted))) if wanted else ()
    return {row.id: row for row in rows}


def _chunks(
    part: Part, number: int, approvals: dict[str, Approval], language: Language
) -> Sequence[str]:
    match part:
        case TextPart():
            return wire.said_text(f"text-{number}", part.text)
        case ToolCallPart():
            return [wire.tool_input(part.call_id, part.tool, part.arguments)]
        case ToolResultPart():
            return [wire.tool_output(part.call_id, part.outcome, part.text or "")]
        case ApprovalPart() if part.approval_id in approvals:
            approval = approvals[part.approval_id]
            asked = wire.chunk(
                "tool-approval-request", approvalId=approval.id, toolCallId=part.call_id
            )
            card = wire.approval_card(part.call_id, approval, language=language)
            return [asked, card] if approval.standing == "pending" else [card]
        case ApprovalPart():
            return []


def usage_chunk(run: ChatRun) -> str:
    """What the run took."""
    return wire.data(
        "usage",
        {
            "model": run.model,
            "model_requests": run.model_requests,
            "tool_calls": run.tool_calls,
            "input_tokens": run.input_tokens,
            "output_tokens": run.output_tokens,
            "cached_tokens": run.cached_tokens,
            "cost_usd": run.cost_nanos / NANOS,
            "first_token_ms": run.first_token_ms,
            "limit_hit": run.limit_hit,
        },
        id=run.id,
    )


def ending(run: ChatRun, *, language: Language, sentence: str | None = None) -> list[str]:
    """How the stream of a run ends; nothing while it goes on."""
    if run.state in ACTIVE_STATES:
        return []
    usage = usage_chunk(run)
    match run.state:
        case "stopped":
            reason = Message("turn.stopped").told(language)
            return [usage, wire.chunk("abort", reason=reason)]
        case "interrupted":
            said = sentence or Message("turn.interrupted").told(language)
            return [usage, wire.chunk("error", errorText=said)]
        case "failed" if run.limit_hit is None:
            said = sentence or Message("turn.failed").told(language)
            return [usage, wire.chunk("error", errorText=said)]
    return [usage, wire.chunk("finish", finishReason="length" if run.limit_hit else "stop")]


def shown_text(parts: Parts) -> str:
    """What an answer says in words."""
    return "\n\n".join(part.text for part in parts if isinstance(part, TextPart))
