"""A run's stream made again from what is stored of it."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat import wire
from msil_mcp.chat.executions import with_results
from msil_mcp.chat.models import ACTIVE_STATES, ChatMessage, ChatRun
from msil_mcp.chat.parts import (
    ApprovalPart,
    Part,
    Parts,
    SummaryPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from msil_mcp.chat.views import NANOS
from msil_mcp.governance.approvals import Approval

FAILED: Final = "The answer could not be completed. Ask again."
INTERRUPTED: Final = "The answer was interrupted. Ask again to go on."


async def stored_chunks(session: AsyncSession, run: ChatRun) -> list[str]:
    """Everything the run has said, then its end if it has ended."""
    return [*await _said(session, run), *ending(run)]


async def said_chunks(session: AsyncSession, run: ChatRun) -> list[str]:
    """Everything the run has said, as if it went on."""
    return await _said(session, run)


async def _said(session: AsyncSession, run: ChatRun) -> list[str]:
    chunks = [wire.chunk("start", messageId=run.assistant_message_id)]
    if run.assistant_message_id is None:
        return chunks
    message = await session.get(ChatMessage, run.assistant_message_id)
    if message is None:
        return chunks
    [parts] = await with_results(session, run.session_id, [message.parts])
    wanted = {part.approval_id for part in parts if isinstance(part, ApprovalPart)}
    rows = await session.scalars(select(Approval).where(Approval.id.in_(wanted))) if wanted else ()
    approvals = {row.id: row for row in rows}
    chunks.append(wire.chunk("start-step"))
    chunks += [one for n, part in enumerate(parts) for one in _chunks(part, n, approvals)]
    chunks.append(wire.chunk("finish-step"))
    return chunks


def _chunks(part: Part, number: int, approvals: dict[str, Approval]) -> Sequence[str]:
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
            card = wire.approval_card(part.call_id, approval)
            return [asked, card] if approval.standing == "pending" else [card]
        case ApprovalPart() | SummaryPart():
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
            "limit_hit": run.limit_hit,
        },
        id=run.id,
    )


def ending(run: ChatRun, *, sentence: str | None = None) -> list[str]:
    """How the stream of a run ends; nothing while it goes on."""
    if run.state in ACTIVE_STATES:
        return []
    usage = usage_chunk(run)
    match run.state:
        case "stopped":
            return [usage, wire.chunk("abort", reason="Stopped by the person.")]
        case "interrupted":
            return [usage, wire.chunk("error", errorText=sentence or INTERRUPTED)]
        case "failed" if run.limit_hit is None:
            return [usage, wire.chunk("error", errorText=sentence or FAILED)]
    return [usage, wire.chunk("finish", finishReason="length" if run.limit_hit else "stop")]


def shown_text(parts: Parts) -> str:
    """What an answer says in words."""
    return "\n\n".join(part.text for part in parts if isinstance(part, TextPart))
