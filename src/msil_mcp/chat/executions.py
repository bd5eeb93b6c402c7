"""What tools did in a conversation: governance's rows, as people and models read them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.models import ChatMessage
from msil_mcp.chat.parts import Parts, ToolResultPart
from msil_mcp.governance.executions import State, StoredResult, ToolExecution

FORGOTTEN: Final = "The result of this call is no longer kept. Call the tool again if you need it."


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """One call: what was asked, what came of it, and how long it took in milliseconds.

    `success` is None until it has ended. `result` is the answer's object when it was one, else its
    text; None when it is not kept any more.
    """

    id: str
    tool: str
    tool_version_id: int
    state: State
    arguments: dict[str, Any] | None
    result: Any
    success: bool | None
    error: str | None
    duration_ms: float | None
    run_id: str | None
    message_id: str | None
    created_at: datetime
    finished_at: datetime | None


async def tool_uses(
    session: AsyncSession,
    session_id: str,
    *,
    message_id: str | None = None,
    after: str = "",
    limit: int,
) -> Sequence[ToolUse]:
    """A session's calls, or one message's, in the order they were made, from after an id."""
    query = _of_session(session_id).where(ToolExecution.id > after)
    if message_id is not None:
        query = query.where(ToolExecution.message_id == message_id)
    rows = await session.scalars(query.order_by(ToolExecution.id).limit(limit))
    return [as_use(row) for row in rows]


async def uses_shown_in(
    session: AsyncSession, session_id: str, messages: Sequence[ChatMessage]
) -> Sequence[ToolUse]:
    """The calls made for these messages, and those their parts refer to."""
    references = _references([message.parts for message in messages])
    query = _of_session(session_id).where(
        or_(
            ToolExecution.message_id.in_({message.id for message in messages}),
            ToolExecution.id.in_({part.execution_id for part in references if part.execution_id}),
        )
    )
    return [as_use(row) for row in await session.scalars(query.order_by(ToolExecution.id))]


async def with_results(
    session: AsyncSession, session_id: str, contents: Sequence[Parts]
) -> list[Parts]:
    """The parts with every reference to an execution of the session replaced by its result."""
    wanted = {part.execution_id for part in _references(contents) if part.execution_id}
    texts: dict[str, str] = {}
    if wanted:
        columns = select(ToolExecution.id, ToolExecution.result)
        query = columns.where(ToolExecution.id.in_(wanted), ToolExecution.session_id == session_id)
        texts = {
            execution_id: msgspec.json.decode(result, type=StoredResult).text
            for execution_id, result in await session.execute(query)
            if result is not None
        }
    return [
        tuple(_resolved(part, texts) if isinstance(part, ToolResultPart) else part for part in one)
        for one in contents
    ]


def as_use(row: ToolExecution) -> ToolUse:
    """An execution as it is shown."""
    return ToolUse(
        id=row.id,
        tool=row.tool_name,
        tool_version_id=row.tool_version_id,
        state=row.state,
        arguments=None if row.arguments is None else msgspec.json.decode(row.arguments),
        result=None if row.result is None else _answer(row.result),
        success=row.state == "succeeded" if row.finished_at is not None else None,
        error=row.error,
        duration_ms=row.duration_ms,
        run_id=row.run_id,
        message_id=row.message_id,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def _of_session(session_id: str) -> Select[ToolExecution]:
    return select(ToolExecution).where(
        ToolExecution.session_id == session_id, ToolExecution.origin == "chat"
    )


def _references(contents: Iterable[Parts]) -> Iterable[ToolResultPart]:
    return (part for parts in contents for part in parts if isinstance(part, ToolResultPart))


def _resolved(part: ToolResultPart, texts: dict[str, str]) -> ToolResultPart:
    if part.text is not None:
        return part
    text = texts.get(part.execution_id or "", FORGOTTEN)
    return replace(part, text=text)


def _answer(result: str) -> Any:
    stored = msgspec.json.decode(result, type=StoredResult)
    return msgspec.json.decode(stored.text) if stored.structured else stored.text
