"""Loads of a branch what a model may be shown: no more than could fit, and its newest summary."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.context import Context, Count, Entry, Limits, cost_of, fit
from msil_mcp.chat.executions import with_results
from msil_mcp.chat.messages import walk_back
from msil_mcp.chat.models import ChatMessage, ChatSession
from msil_mcp.chat.parts import summarised_until


async def recall(
    session: AsyncSession, chat: ChatSession, head_id: str | None, *, limits: Limits, count: Count
) -> Context:
    """What fits of the branch that ends in a message, with the results of calls filled in."""
    entries: list[Entry] = []
    tokens, until, more = 0, None, False
    async for chunk in walk_back(session, chat, head_id):
        contents = await with_results(session, chat.id, [row.parts for row in chunk])
        for row, parts in zip(chunk, contents, strict=True):
            more = row.id != until
            if not more:
                break
            entry = Entry(row.id, row.role, parts)
            entries.append(entry)
            tokens += cost_of(entry, count)
            until = until or summarised_until(parts)
            full = _exceeds(limits.tokens, tokens) or _exceeds(limits.messages, len(entries))
            more = row.parent_id is not None
            if full and row.role == "user":
                if until is None:
                    entries += await _summary_above(session, chat, row)
                return fit(entries[::-1], limits=limits, count=count, more=more)
        if not more:
            break
    return fit(entries[::-1], limits=limits, count=count)


async def _summary_above(
    session: AsyncSession, chat: ChatSession, message: ChatMessage
) -> list[Entry]:
    """The newest summary further up the branch, if there is one."""
    query = select(ChatMessage.id).where(
        ChatMessage.session_id == chat.id,
        ChatMessage.role == "summary",
        ChatMessage.sequence < message.sequence,
    )
    summaries = set((await session.scalars(query)).all())
    if not summaries:
        return []
    async for chunk in walk_back(session, chat, message.parent_id):
        for row in chunk:
            if row.id in summaries:
                return [Entry(row.id, row.role, row.parts)]
    return []


def _exceeds(limit: int | None, value: int) -> bool:
    return limit is not None and value > limit
