"""Storing what a run says and does while it is its owner's, and how it ended."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.ledger import book
from msil_mcp.chat.limits import Meter
from msil_mcp.chat.messages import Draft, append, change_content
from msil_mcp.chat.models import ChatRun, ChatSession, MessageStatus
from msil_mcp.chat.parts import Parts
from msil_mcp.chat.runs import RunOutcome, finish_run, hold_run, let_wait
from msil_mcp.chat.summaries import ChatSummary
from msil_mcp.db.database import Database


async def keep(
    database: Database,
    run: ChatRun,
    *,
    owner: str,
    message_id: str,
    parts: Parts,
    status: MessageStatus,
    meter: Meter,
    outcome: RunOutcome | None = None,
    waits: bool = False,
    summary: ChatSummary | None = None,
) -> ChatRun:
    """Store the answer as it is; RunLost when the run is not the owner's any more.

    With an outcome the run ends, and with `waits` it is left to a person's decision. A summary
    that was made for the run is stored beside what it took.
    """
    async with database.unit_of_work() as session:
        if summary is not None:
            # First, because it holds the session's row, which everybody locks before the run's.
            session.add(summary)
            await session.flush()
        chat = None
        if parts and run.assistant_message_id is None:
            # A session's row is locked before its run's, by everybody.
            query = select(ChatSession).where(ChatSession.id == run.session_id)
            chat = (await session.scalars(query.with_for_update())).one()
        row = await hold_run(session, run.id, owner=owner)
        if chat is not None:
            await _begin(session, chat, row, message_id, parts, status, meter)
        elif row.assistant_message_id is not None:
            await change_content(
                session,
                message_id,
                parts=parts,
                status=status,
                model=meter.answered_by,
                usage=meter.usage,
            )
        count(row, meter)
        due = tuple(meter.bill.due)
        if outcome is not None:
            await finish_run(session, row, outcome, due)
        else:
            if waits:
                await let_wait(session, row)
            await book(session, user_id=row.user_id, door="chat", bookings=due)
    meter.bill.booked(len(due))
    return row


async def _begin(
    session: AsyncSession,
    chat: ChatSession,
    run: ChatRun,
    message_id: str,
    parts: Parts,
    status: MessageStatus,
    meter: Meter,
) -> None:
    """Add the answer to its session."""
    draft = Draft(
        role="assistant",
        parts=parts,
        status=status,
        model=meter.answered_by,
        usage=meter.usage,
        run_id=run.id,
        id=message_id,
    )
    await append(session, chat, draft, parent_id=run.user_message_id)
    run.assistant_message_id = message_id


def count(row: ChatRun, meter: Meter) -> None:
    """What the run has taken, also while it goes on."""
    row.model, row.first_token_ms = meter.model, meter.first_token_ms
    row.model_requests, row.tool_calls = meter.model_requests, meter.tool_calls
    row.input_tokens, row.output_tokens = meter.tokens.prompt, meter.tokens.completion
    row.cached_tokens, row.cost_nanos = meter.tokens.cached, meter.cost_nanos
