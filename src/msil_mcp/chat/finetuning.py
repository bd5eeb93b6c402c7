"""Rated answers as examples for fine-tuning: OpenAI's chat format, one a line, masked.

An example is the conversation up to a rated answer, as a model is shown it. Only that answer is to
be learnt; what was said before it has the weight 0. Made page by page as it is sent.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.context import Entry, Limits, approximate_tokens
from msil_mcp.chat.example_tools import ExampleTools
from msil_mcp.chat.executions import FORGOTTEN, ToolUse, as_use
from msil_mcp.chat.hiding import Hiding
from msil_mcp.chat.instructions import instructions
from msil_mcp.chat.masks import ConversationMasks
from msil_mcp.chat.model_view import as_messages
from msil_mcp.chat.models import ChatMessage, ChatSession, Rating
from msil_mcp.chat.parts import ToolCallPart, ToolResultPart
from msil_mcp.chat.recall import recall
from msil_mcp.db.database import Database
from msil_mcp.governance.executions import ToolExecution
from msil_mcp.llm.messages import Assistant, Message, RequestedCall, System, ToolAnswer, User
from msil_mcp.llm.tools import MOST_TOOLS, ToolTable
from msil_mcp.locales import ENGLISH

MEDIA_TYPE: Final = "application/x-ndjson"
Kind = TypeVar("Kind")
_PAGE: Final = 20
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Answers rated so, of these days (UTC), the first and the last included."""

    rating: Rating = "up"
    first: date | None = None
    last: date | None = None

    @property
    def facts(self) -> dict[str, str | None]:
        """The same for a record."""
        return {
            "rating": self.rating,
            "from": None if self.first is None else str(self.first),
            "to": None if self.last is None else str(self.last),
        }


@dataclass(slots=True, kw_only=True)
class Examples:
    """The examples of a database; afterwards `written` and `left_out` say how many there were.

    Left out is what could not be learnt from: calls of tools that are gone, or of which the
    result is not kept.
    """

    database: Database
    wanted: Wanted
    context_tokens: int
    written: int = 0
    left_out: int = 0
    _masks: ConversationMasks = field(
        default_factory=lambda: ConversationMasks(keep_subjects=False)
    )
    _tools: ExampleTools = field(default_factory=ExampleTools)

    async def lines(self) -> AsyncIterator[bytes]:
        """Each a JSON object, in the order the answers were given."""
        after: tuple[datetime, str] | None = None
        while True:
            async with self.database.reading(may_lag=True) as session:
                page = await self._rated(session, after)
                made = [await self._example(session, *row) for row in page]
            for example in made:
                if example is None:
                    self.left_out += 1
                else:
                    self.written += 1
                    yield _encode(example) + b"\n"
            if len(page) < _PAGE:
                return
            last = page[-1][0]
            after = last.created_at, last.id

    async def _rated(
        self, session: AsyncSession, after: tuple[datetime, str] | None
    ) -> Sequence[tuple[ChatMessage, ChatSession]]:
        message = ChatMessage
        query = (
            select(message, ChatSession)
            .join(ChatSession, ChatSession.id == message.session_id)
            .where(message.rating == self.wanted.rating, message.role == "assistant")
            .where(message.status == "complete", ChatSession.deleted_at.is_(None))
            .order_by(message.created_at, message.id)
            .limit(_PAGE)
        )
        if self.wanted.first is not None:
            query = query.where(message.created_at >= _midnight(self.wanted.first))
        if self.wanted.last is not None:
            end = _midnight(self.wanted.last + timedelta(days=1))
            query = query.where(message.created_at < end)
        if after is not None:
            query = query.where(tuple_(message.created_at, message.id) > after)
        return [(row[0], row[1]) for row in await session.execute(query)]

    async def _example(
        self, session: AsyncSession, message: ChatMessage, chat: ChatSession
    ) -> dict[str, Any] | None:
        """None for what nothing could be learnt from."""
        limits = Limits(tokens=self.context_tokens)
        context = await recall(session, chat, message.id, limits=limits, count=approximate_tokens)
        entries = context.entries
        uses = await _uses(session, chat, entries)
        called = {part.tool for part in _parts(entries, ToolCallPart)}
        unknown = called - {use.tool for use in uses.values()}
        versions = {use.tool_version_id for use in uses.values()}
        await self._masks.expect(session, versions=versions, names=called)
        table = await self._tools.of(session, versions=versions, names=unknown)
        said = {part.text for part in _parts(entries, ToolResultPart)}
        shown = table.offer(used=sorted(called), most=MOST_TOOLS)
        if not entries or FORGOTTEN in said or called - {tool.own_name for tool in shown}:
            return None
        told = instructions(now=message.created_at, language=chat.language or ENGLISH)
        writing = _Writing(self._masks, table, uses, _results(entries))
        learnt = len(as_messages(entries[-1:]))
        spoken = writing.written(as_messages(entries), learnt=learnt)
        example: dict[str, Any] = {"messages": [{"role": "system", "content": told}, *spoken]}
        if called:
            example["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": tool.parameters,
                    },
                }
                for tool in shown
            ]
        return example


class _Writing:
    """One example's messages in OpenAI's form, with what is personal hidden in all of them."""

    def __init__(
        self,
        masks: ConversationMasks,
        table: ToolTable,
        uses: dict[str, ToolUse],
        results: dict[str, ToolResultPart],
    ) -> None:
        self._masks = masks
        self._hiding = Hiding()
        self._names = {tool.own_name: tool for tool in table.offer(most=len(table))}
        self._uses = {
            call_id: uses[part.execution_id]
            for call_id, part in results.items()
            if part.execution_id in uses
        }

    def written(self, messages: Sequence[Message], *, learnt: int) -> list[dict[str, Any]]:
        """The last `learnt` of them count."""
        # What a later result hides may have been said before it, so all are masked first.
        masked = [self._masked(message) for message in messages]
        begin = len(masked) - learnt
        return [self._written(each, counts=n >= begin) for n, each in enumerate(masked)]

    def _masked(self, message: Message) -> Message:
        match message:
            case Assistant(text=text, calls=calls):
                return Assistant(text, tuple(self._call(call) for call in calls))
            case ToolAnswer(call=call, text=text, failed=failed):
                return ToolAnswer(call, self._result(call, text), failed)
        return message

    def _call(self, call: RequestedCall) -> RequestedCall:
        masked = self._masks.arguments(call.tool, call.arguments, self._uses.get(call.id))
        self._hiding.note(call.arguments, masked)
        return RequestedCall(call.id, call.tool, masked or {})

    def _result(self, call: RequestedCall, text: str) -> str:
        value: Any = text
        if text[:1] in {"{", "["}:
            try:
                value = msgspec.json.decode(text)
            except msgspec.DecodeError:
                value = text
        masked = self._masks.result(call.tool, value, self._uses.get(call.id))
        self._hiding.note(value, masked)
        return masked if isinstance(masked, str) else _encode(masked).decode()

    def _written(self, message: Message, *, counts: bool) -> dict[str, Any]:
        match message:
            case System(text=text):
                return {"role": "system", "content": self._said(text)}
            case User(text=text):
                return {"role": "user", "content": self._said(text)}
            case ToolAnswer(call=call, text=text):
                return {
                    "role": "tool",
                    "tool_call_id": call.id,
                    "content": self._hiding.hide(text),
                }
            case Assistant(text=text, calls=calls):
                written: dict[str, Any] = {"role": "assistant"}
                if text or not calls:
                    written["content"] = self._said(text)
                if calls:
                    written["tool_calls"] = [self._requested(call) for call in calls]
                if not counts:
                    written["weight"] = 0
                return written

    def _requested(self, call: RequestedCall) -> dict[str, Any]:
        tool = self._names[call.tool]
        arguments = tool.shown_arguments(self._hiding.hide(call.arguments))
        return {
            "id": call.id,
            "type": "function",
            "function": {"name": tool.name, "arguments": _encode(arguments).decode()},
        }

    def _said(self, text: str) -> str:
        hidden: str = self._hiding.hide(text)
        return self._masks.text(hidden)


async def _uses(
    session: AsyncSession, chat: ChatSession, entries: Sequence[Entry]
) -> dict[str, ToolUse]:
    ids = {part.execution_id for part in _parts(entries, ToolResultPart) if part.execution_id}
    query = select(ToolExecution).where(
        ToolExecution.id.in_(ids), ToolExecution.session_id == chat.id
    )
    rows = await session.scalars(query) if ids else ()
    return {row.id: as_use(row) for row in rows}


def _results(entries: Sequence[Entry]) -> dict[str, ToolResultPart]:
    return {part.call_id: part for part in _parts(entries, ToolResultPart)}


def _parts(entries: Collection[Entry], kind: type[Kind]) -> Iterator[Kind]:
    return (part for entry in entries for part in entry.parts if isinstance(part, kind))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
