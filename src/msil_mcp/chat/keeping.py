"""Storing what a run says and does while it is its owner's, and how it ended."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.context import Entry, Limits, approximate_tokens, paired
from msil_mcp.chat.errors import RunLost
from msil_mcp.chat.executions import with_results
from msil_mcp.chat.limits import Meter
from msil_mcp.chat.messages import Draft, append, change_content
from msil_mcp.chat.models import ChatMessage, ChatRun, ChatSession, MessageStatus
from msil_mcp.chat.parts import Parts
from msil_mcp.chat.recall import recall
from msil_mcp.chat.runs import RunOutcome, finish_run, let_wait, renew_runs, show_answer
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
) -> ChatRun:
    """Store the answer as it is; RunLost when the run is not the owner's any more.

    With an outcome the run ends, and with `waits` it is left to a person's decision.
    """
    async with database.unit_of_work() as session:
        if run.id not in await renew_runs(session, [run.id], owner=owner):
            raise RunLost
        if parts or run.assistant_message_id is not None:
            await _write(session, run, owner, message_id, parts, status, meter)
        if outcome is not None:
            return await finish_run(session, run.id, owner=owner, outcome=outcome)
        row = await session.get_one(ChatRun, run.id, populate_existing=True)
        count(row, meter)
        if waits:
            await let_wait(session, run.id, owner=owner)
        return row


async def _write(
    session: AsyncSession,
    run: ChatRun,
    owner: str,
    message_id: str,
    parts: Parts,
    status: MessageStatus,
    meter: Meter,
) -> None:
    if await session.get(ChatMessage, message_id) is not None:
        await change_content(
            session,
            message_id,
            parts=parts,
            status=status,
            model=meter.model,
            usage=meter.usage,
        )
        return
    chat = (
        await session.scalars(
            select(ChatSession).where(ChatSession.id == run.session_id).with_for_update()
        )
    ).one()
    draft = Draft(
        role="assistant",
        parts=parts,
        status=status,
        model=meter.model,
        usage=meter.usage,
        run_id=run.id,
        id=message_id,
    )
    await append(session, chat, draft, parent_id=run.user_message_id)
    await show_answer(session, run.id, owner=owner, message_id=message_id)


def count(row: ChatRun, meter: Meter) -> None:
    """What the run has taken, also while it goes on."""
    row.model = meter.model
    row.model_requests, row.tool_calls = meter.model_requests, meter.tool_calls
    row.input_tokens, row.output_tokens = meter.tokens.prompt, meter.tokens.completion
    row.cached_tokens, row.cost_nanos = meter.tokens.cached, meter.cost_nanos


async def entries_for(
    database: Database, run: ChatRun, *, said: Parts, tokens: int
) -> Sequence[Entry]:
    """What the model is shown: the branch up to the question, then what the run itself did."""
    async with database.reading() as session:
        chat = await session.get_one(ChatSession, run.session_id)
        context = await recall(
            session,
            chat,
            run.user_message_id,
            limits=Limits(tokens=tokens),
            count=approximate_tokens,
        )
        if not said:
            return context.entries
        [parts] = await with_results(session, run.session_id, [said])
    return [*context.entries, *paired([Entry("", "assistant", parts)])]
