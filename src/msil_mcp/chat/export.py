"""A conversation as a file: JSON with every branch, or Markdown of the present one; masked.

Made page by page as it is sent; no transaction is open in between.
"""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.executions import ToolUse, tool_uses, uses_shown_in
from msil_mcp.chat.masks import ConversationVeil
from msil_mcp.chat.messages import oldest
from msil_mcp.chat.models import ChatMessage, ChatSession
from msil_mcp.chat.parts import TextPart, ToolCallPart, ToolResultPart
from msil_mcp.chat.summaries import ChatSummary, summaries_of
from msil_mcp.db.database import Database, utc_now
from msil_mcp.locales import Language, Message

Format = Literal["json", "markdown"]
MEDIA_TYPES: Final[dict[Format, str]] = {
    "json": "application/json",
    "markdown": "text/markdown; charset=utf-8",
}
SUFFIXES: Final[dict[Format, str]] = {"json": "json", "markdown": "md"}
_PAGE: Final = 200
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCall:
    """A tool call as it is exported; times in milliseconds."""

    tool: str
    arguments: dict[str, Any] | None
    outcome: str
    result: Any
    error: str | None
    duration_ms: float | None
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedMessage:
    """A message as it is exported; `on_branch` when it is part of the present branch."""

    id: str
    parent_id: str | None
    on_branch: bool
    role: str
    status: str
    at: datetime
    model: str | None
    text: str
    rating: str | None
    comment: str | None
    tool_calls: tuple[ExportedCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedSummary:
    """What a model was shown instead of the messages up to one of them."""

    until_id: str
    messages: int
    whole: bool
    at: datetime
    model: str
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """What to export: a session as it was when asked for, and the ids of its present branch."""

    database: Database
    chat: ChatSession
    branch: frozenset[str]
    with_tools: bool

    async def stream(self, kind: Format, *, language: Language) -> AsyncIterator[bytes]:
        """The file in chunks; the headings of Markdown are in a language."""
        parts = self._as_json() if kind == "json" else self._as_markdown(language)
        async for part in parts:
            yield part

    async def _as_json(self) -> AsyncIterator[bytes]:
        chat, masks = self.chat, await self.veil()
        about = {
            "id": chat.id,
            "title": masks.text(chat.title),
            "language": chat.language,
            "model": chat.model,
            "created_at": chat.created_at,
            "exported_at": utc_now(),
            "head_id": chat.head_id,
            "masked": True,
        }
        yield b'{"session":' + _encode(about) + b',"messages":['
        separator = b""
        async for message in self._messages(masks):
            yield separator + _encode(message)
            separator = b","
        yield b'],"summaries":' + _encode(await self._summaries(masks)) + b"}\n"

    async def _as_markdown(self, language: Language) -> AsyncIterator[bytes]:
        chat, masks = self.chat, await self.veil()
        title = masks.text(chat.title) or Message("export.untitled").told(language)
        begun = Message("export.begun", at=_moment(chat.created_at)).told(language)
        yield f"# {title}\n\n{begun}\n".encode()
        async for message in self._messages(masks):
            if message.on_branch:
                yield "".join(_markdown(message, language)).encode()

    async def veil(self) -> ConversationVeil:
        """What the conversation's calls declare personal, to be hidden wherever it is said."""
        masks, after = ConversationVeil(), ""
        while True:
            async with self.database.reading() as session:
                uses = await tool_uses(session, self.chat.id, after=after, limit=_PAGE)
                versions = {use.tool_version_id for use in uses}
                await masks.expect(session, versions=versions, names={use.tool for use in uses})
            for use in uses:
                masks.learn(use.tool, arguments=use.arguments, result=use.result, use=use)
            if len(uses) < _PAGE:
                return masks
            after = uses[-1].id

    async def page(
        self, masks: ConversationVeil, *, after: int, limit: int
    ) -> list[tuple[int, ExportedMessage]]:
        """Messages of all branches after a sequence number, the oldest first, by their own."""
        async with self.database.reading() as session:
            page = await oldest(session, self.chat, after=after, limit=limit)
            uses = await self._uses(session, masks, page)
        _learn(masks, page)
        return [(message.sequence, self._exported(message, masks, uses)) for message in page]

    async def _messages(self, masks: ConversationVeil) -> AsyncIterator[ExportedMessage]:
        after = 0
        while True:
            page = await self.page(masks, after=after, limit=_PAGE)
            for _, message in page:
                yield message
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    async def _summaries(self, masks: ConversationVeil) -> Sequence[ExportedSummary]:
        made: list[ChatSummary] = []
        while True:
            after = made[-1].id if made else ""
            async with self.database.reading() as session:
                page = await summaries_of(session, self.chat.id, after=after, limit=_PAGE)
            made += page
            if len(page) < _PAGE:
                break
        return [
            ExportedSummary(
                until_id=row.until_id,
                messages=row.messages,
                whole=row.whole,
                at=row.created_at,
                model=row.model,
                text=masks.text(row.text),
            )
            for row in made
        ]

    async def _uses(
        self, session: AsyncSession, masks: ConversationVeil, page: Sequence[ChatMessage]
    ) -> Sequence[ToolUse]:
        uses = await uses_shown_in(session, self.chat.id, page)
        called = {
            part.tool
            for message in page
            for part in message.parts
            if isinstance(part, ToolCallPart | ToolResultPart)
        }
        await masks.expect(session, versions={use.tool_version_id for use in uses}, names=called)
        return uses

    def _exported(
        self, message: ChatMessage, masks: ConversationVeil, uses: Sequence[ToolUse]
    ) -> ExportedMessage:
        said = [part.text for part in message.parts if isinstance(part, TextPart)]
        return ExportedMessage(
            id=message.id,
            parent_id=message.parent_id,
            on_branch=message.id in self.branch,
            role=message.role,
            status=message.status,
            at=message.created_at,
            model=message.model,
            text=masks.text("\n\n".join(said)),
            rating=message.rating,
            comment=None if message.comment is None else masks.text(message.comment),
            tool_calls=tuple(_calls(message, masks, uses)) if self.with_tools else (),
        )


def _learn(masks: ConversationVeil, page: Sequence[ChatMessage]) -> None:
    """What was asked for and not executed, a call that waits say, is in the messages alone."""
    for message in page:
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                masks.learn(part.tool, arguments=part.arguments)
            elif isinstance(part, ToolResultPart):
                masks.learn(part.tool, result=part.text)


def _calls(
    message: ChatMessage, masks: ConversationVeil, uses: Sequence[ToolUse]
) -> Iterator[ExportedCall]:
    """What the message's parts say was called, then what was executed for it beside that."""
    by_id = {use.id: use for use in uses}
    results = {part.call_id: part for part in message.parts if isinstance(part, ToolResultPart)}
    for part in message.parts:
        if isinstance(part, ToolCallPart):
            result = results.get(part.call_id)
            use = by_id.pop((result and result.execution_id) or "", None)
            yield _call(part.tool, part.arguments, result, use, masks)
    for use in by_id.values():
        if use.message_id == message.id:
            yield _call(use.tool, use.arguments, None, use, masks)


def _call(
    tool: str,
    arguments: dict[str, Any] | None,
    result: ToolResultPart | None,
    use: ToolUse | None,
    masks: ConversationVeil,
) -> ExportedCall:
    answer = result.text if result is not None and result.text is not None else None
    if answer is None and use is not None:
        answer = use.result
    return ExportedCall(
        tool=tool,
        arguments=masks.arguments(tool, arguments, use),
        outcome=result.outcome if result else use.state if use else "unknown",
        result=masks.result(tool, answer, use),
        error=use.error if use else None,
        duration_ms=use.duration_ms if use else None,
        at=use.created_at if use else None,
    )


def _markdown(message: ExportedMessage, language: Language) -> Iterator[str]:
    model = f" · {message.model}" if message.model else ""
    ended = Message(f"export.states.{message.status}").told(language)
    state = "" if message.status == "complete" else f" · {ended}"
    speaker = Message(f"export.speakers.{message.role}").told(language)
    yield f"\n## {speaker}\n\n*{_moment(message.at)}{model}{state}*\n"
    for call in message.tool_calls:
        took = "" if call.duration_ms is None else f" in {call.duration_ms:.0f} ms"
        error = f" ({call.error})" if call.error else ""
        yield f"\n`{call.tool}` {call.outcome}{error}{took}\n"
        yield _fenced(call.arguments)
        yield _fenced(call.result)
    if message.text:
        yield f"\n{message.text}\n"


def _fenced(value: Any) -> str:
    """JSON, or a text, in a fence that nothing inside can close."""
    if value is None:
        return ""
    structured = not isinstance(value, str)
    body = msgspec.json.format(_encode(value)).decode() if structured else value
    ticks = max((len(run) for run in re.findall("`{3,}", body)), default=2) + 1
    fence = "`" * ticks
    return f"\n{fence}{'json' if structured else ''}\n{body}\n{fence}\n"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
