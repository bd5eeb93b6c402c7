"""Loads of a branch what a model may be shown: no more than could fit, down from its summary."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.context import Context, Count, Entry, Limits, Shorten, cost_of, fit, unchanged
from msil_mcp.chat.executions import with_results
from msil_mcp.chat.models import ChatSession
from msil_mcp.chat.summaries import ChatSummary, summary_in_force, walk_back_summarised


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """The end of a branch, oldest first, and the summary of what came before it.

    With `more` there are messages that are neither here nor in the summary.
    """

    entries: Sequence[Entry]
    summary: ChatSummary | None
    more: bool


async def recall(
    session: AsyncSession, chat: ChatSession, head_id: str | None, *, limits: Limits, count: Count
) -> Context:
    """What fits of the branch that ends in a message, with the results of calls filled in."""
    branch = await load(session, chat, head_id, limits=limits, count=count)
    summary = None if branch.summary is None else branch.summary.entry
    return fit(branch.entries, limits=limits, count=count, summary=summary, more=branch.more)


async def load(
    session: AsyncSession,
    chat: ChatSession,
    head_id: str | None,
    *,
    limits: Limits,
    count: Count,
    short: Shorten = unchanged,
) -> Branch:
    """The newest messages of a branch up to its summary; fewer when that is further than fits.

    Results of calls are filled in. What is older than the newest turn counts as shortened.
    """
    entries: list[Entry] = []
    tokens, below = 0, False
    async for chunk in walk_back_summarised(session, chat, head_id):
        contents = await with_results(session, chat.id, [row.parts for row, _ in chunk])
        for (row, summary), parts in zip(chunk, contents, strict=True):
            if below and summary is not None:
                return Branch(entries=entries[::-1], summary=summary, more=False)
            entry = Entry(row.id, row.role, parts)
            entries.append(entry)
            tokens += cost_of(short(entry) if below else entry, count)
            below = below or row.role == "user"
            full = _exceeds(limits.tokens, tokens) or _exceeds(limits.messages, len(entries))
            if full and row.role == "user" and row.parent_id is not None:
                older = await summary_in_force(session, chat, row.id)
                more = older is None or older.until_id != row.parent_id
                return Branch(entries=entries[::-1], summary=older, more=more)
    return Branch(entries=entries[::-1], summary=None, more=False)


def _exceeds(limit: int | None, value: int) -> bool:
    return limit is not None and value > limit
