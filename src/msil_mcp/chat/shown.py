"""What belongs to a page of messages: the calls, approvals and runs its parts refer to."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from msil_mcp.chat.executions import ToolUse, uses_shown_in
from msil_mcp.chat.models import ChatMessage, ChatRun, ChatSession
from msil_mcp.chat.parts import ApprovalPart
from msil_mcp.db.database import Database
from msil_mcp.governance.approvals import Approval


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything a reader needs to show the messages without asking again."""

    tool_uses: Sequence[ToolUse]
    approvals: Sequence[Approval]
    runs: Sequence[ChatRun]


async def shown_with(
    database: Database, chat: ChatSession, messages: Sequence[ChatMessage]
) -> Shown:
    """Three queries whatever the number of messages."""
    asked = {
        part.approval_id
        for message in messages
        for part in message.parts
        if isinstance(part, ApprovalPart)
    }
    made_by = {message.run_id for message in messages if message.run_id}
    async with database.reading() as session:
        approvals = await session.scalars(
            select(Approval).where(Approval.id.in_(asked), Approval.session_id == chat.id)
        )
        runs = await session.scalars(
            select(ChatRun).where(ChatRun.id.in_(made_by), ChatRun.session_id == chat.id)
        )
        return Shown(
            tool_uses=await uses_shown_in(session, chat.id, messages),
            approvals=approvals.all(),
            runs=runs.all(),
        )
