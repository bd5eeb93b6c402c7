"""What a session amounts to: counted by the database, over all branches."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from msil_mcp.chat.models import ChatMessage
from msil_mcp.db.database import UtcDateTime
from msil_mcp.governance.executions import ToolExecution

FINISHED: Final = ("succeeded", "failed", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Times in milliseconds, cost in billionths of a US dollar.

    `success_rate` is over calls that have ended, None before there is one. `p95_tool_ms` is the
    least time that at least 95 of 100 timed calls stayed within.
    """

    messages: int
    user_messages: int
    assistant_messages: int
    tool_calls: int
    tool_calls_succeeded: int
    tool_calls_failed: int
    success_rate: float | None
    average_tool_ms: float | None
    p95_tool_ms: float | None
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_nanos: int
    first_activity_at: datetime | None
    last_activity_at: datetime | None


async def statistics_of(session: AsyncSession, session_id: str) -> Statistics:
    """One session's statistics, in three queries."""
    message, execution = ChatMessage, ToolExecution
    said = (
        await session.execute(
            select(
                func.count(),
                _count(message.role == "user"),
                _count(message.role == "assistant"),
                _sum(message.input_tokens),
                _sum(message.output_tokens),
                _sum(message.cached_tokens),
                _sum(message.cost_nanos),
                func.min(message.created_at, type_=UtcDateTime()),
                func.max(message.created_at, type_=UtcDateTime()),
            ).where(message.session_id == session_id)
        )
    ).one()
    done = (
        await session.execute(
            select(
                func.count(),
                _count(execution.state == "succeeded"),
                _count(execution.state.in_(FINISHED)),
                func.count(execution.duration_ms),
                func.avg(execution.duration_ms),
                func.min(execution.created_at, type_=UtcDateTime()),
                func.max(execution.created_at, type_=UtcDateTime()),
            ).where(execution.session_id == session_id, execution.origin == "chat")
        )
    ).one()
    messages, users, assistants, tokens_in, tokens_out, cached, cost, first, last = said
    calls, succeeded, finished, timed, average, first_call, last_call = done
    return Statistics(
        messages=messages,
        user_messages=users,
        assistant_messages=assistants,
        tool_calls=calls,
        tool_calls_succeeded=succeeded,
        tool_calls_failed=finished - succeeded,
        success_rate=succeeded / finished if finished else None,
        average_tool_ms=average,
        p95_tool_ms=await _p95(session, session_id, timed),
        input_tokens=int(tokens_in),
        output_tokens=int(tokens_out),
        cached_tokens=int(cached),
        cost_nanos=int(cost),
        first_activity_at=min(filter(None, (first, first_call)), default=None),
        last_activity_at=max(filter(None, (last, last_call)), default=None),
    )


async def _p95(session: AsyncSession, session_id: str, timed: int) -> float | None:
    """By rank, which both databases can do the same way."""
    if not timed:
        return None
    rank = -(-95 * timed // 100)
    query = (
        select(ToolExecution.duration_ms)
        .where(ToolExecution.session_id == session_id, ToolExecution.origin == "chat")
        .where(ToolExecution.duration_ms.is_not(None))
        .order_by(ToolExecution.duration_ms)
        .offset(rank - 1)
        .limit(1)
    )
    return (await session.execute(query)).scalar_one()


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(condition)


def _sum(column: InstrumentedAttribute[int]) -> ColumnElement[int]:
    return func.coalesce(func.sum(column), 0)
