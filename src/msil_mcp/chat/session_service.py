"""Conversations as the rest of the product uses them; every method is one short transaction.

A session that is not the caller's looks like one that does not exist. Who may read every
conversation may read, and never change, what belongs to others.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.context import Context, Count, Limits, approximate_tokens
from msil_mcp.chat.errors import CannotBranch, CannotRate, SessionNotFound
from msil_mcp.chat.executions import ToolUse, tool_uses
from msil_mcp.chat.export import Conversation
from msil_mcp.chat.ledger import user_of
from msil_mcp.chat.messages import (
    Draft,
    Fork,
    ancestors,
    append,
    asked_before,
    branch_ids,
    entitle,
    forks,
    message_of,
    newest,
    newest_leaf,
    walk_back,
)
from msil_mcp.chat.models import (
    ChatMessage,
    ChatRun,
    ChatSession,
    IdText,
    Rating,
    SequenceNumber,
    new_id,
)
from msil_mcp.chat.parts import Part, TextPart, printable
from msil_mcp.chat.recall import recall
from msil_mcp.chat.repair import repair, withdraw
from msil_mcp.chat.runs import LEASE_SECONDS, active_run, ensure_idle, insert_run, request_stop
from msil_mcp.chat.sessions import SessionChange as SessionChange
from msil_mcp.chat.sessions import SessionFilters, Sessions
from msil_mcp.chat.speaking import spoken
from msil_mcp.chat.statistics import Statistics, statistics_of
from msil_mcp.chat.summaries import ChatSummary, summaries_of, summary_in_force
from msil_mcp.db.database import Database, translated_errors, utc_now
from msil_mcp.locales import ENGLISH, Language, Message
from msil_mcp.pagination import decode_cursor, encode_cursor, page_of
from msil_mcp.principal import Principal

HEAD = "head"
"""Stands for the end of the present branch, where a new message goes unless told otherwise."""


@dataclass(frozen=True, slots=True)
class SessionService:
    """Sessions, their messages and branches, what tools did in them, and what they amount to."""

    database: Database

    async def create(
        self,
        principal: Principal,
        *,
        title: str = "",
        language: str | None = None,
        model: str | None = None,
        key: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> ChatSession:
        """A new session. Without a title it takes one from the first thing said."""
        now = utc_now()
        chat = ChatSession(
            id=new_id(),
            owner_id=principal.id,
            key=key,
            language=language,
            model=model,
            attributes=dict(attributes or {}),
            created_at=now,
            updated_at=now,
            active_at=now,
        )
        entitle(chat, title)
        async with self._changing() as session:
            session.add(chat)
        return chat

    async def get(self, principal: Principal, session_id: str) -> ChatSession:
        """The session, or SessionNotFound."""
        async with self._reading() as session:
            return await Sessions(session).readable_by(principal, session_id)

    async def get_or_create(
        self,
        principal: Principal,
        name: str,
        *,
        language: str | None = None,
        model: str | None = None,
    ) -> ChatSession:
        """The caller's session with this id or key, else a new one with the name as its key.

        Keys are the caller's own: somebody else's session of that id or key is never touched.
        """
        async with self._reading() as session:
            found = await Sessions(session).named(principal, name)
        if found is not None:
            return found
        try:
            return await self.create(principal, key=name, language=language, model=model)
        except IntegrityError:
            # Another request was quicker.
            async with self._reading() as session:
                made = await Sessions(session).named(principal, name)
            if made is None:
                raise SessionNotFound from None
            return made

    async def update(
        self, principal: Principal, session_id: str, change: SessionChange
    ) -> ChatSession:
        """Rename, pin, archive, or choose another language or model."""
        async with self._changing() as session:
            chat = await Sessions(session).owned_by(principal, session_id)
            if change.title is not None:
                entitle(chat, change.title)
            for column in ("pinned", "archived", "attributes", "language", "model"):
                wanted = getattr(change, column)
                if wanted is not None:
                    setattr(chat, column, None if wanted == "" else wanted)
            chat.updated_at = utc_now()
        return chat

    async def delete(
        self, principal: Principal, session_id: str, *, language: Language = ENGLISH
    ) -> ChatRun | None:
        """Hide the session until retention removes it; an answer under way is asked to stop.

        One that waited for a person ends here; it is returned, so that others can be told.
        """
        async with self._changing() as session:
            chat = await Sessions(session).owned_by(principal, session_id)
            run = await request_stop(session, chat.id)
            chat.deleted_at, chat.key = utc_now(), None
            if run is None or run.owner is not None:
                return None
            said_in = spoken(chat.language, otherwise=language)
            reason = Message("approval.reasons.deleted").told(said_in)
            await withdraw(session, run.id, reason=reason)
            await repair(session, run)
        return run

    async def restore(self, principal: Principal, session_id: str) -> ChatSession:
        """Undo a deletion."""
        async with self._changing() as session:
            chat = await Sessions(session).deleted_of(principal, session_id)
            chat.deleted_at = None
        return chat

    async def list_sessions(
        self,
        principal: Principal,
        filters: SessionFilters | None = None,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> tuple[list[ChatSession], str | None]:
        """A page, pinned ones first, then the last active first; and the next page's cursor."""
        async with self._reading() as session:
            return await Sessions(session).page(
                principal, filters or SessionFilters(), cursor=cursor, limit=limit
            )

    async def add_message(
        self, principal: Principal, session_id: str, draft: Draft, *, parent_id: str | None = HEAD
    ) -> ChatMessage:
        """Add a message and make it the head; below a message that is not the head it branches."""
        async with self._changing() as session:
            chat = await Sessions(session).owned_by(principal, session_id)
            if parent_id == HEAD:
                parent_id = chat.head_id
            elif parent_id is not None:
                await message_of(session, chat, parent_id)
            return await append(session, chat, draft, parent_id=parent_id)

    async def begin_run(
        self,
        principal: Principal,
        session_id: str,
        parts: Sequence[Part] | None,
        *,
        owner: str | None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> tuple[ChatMessage, ChatRun]:
        """Store what the user says and the run that will answer it, in one transaction.

        Without parts the run answers the user's message at the head. RunActive while another runs.
        """
        async with self._changing() as session:
            chat = await Sessions(session).owned_by(principal, session_id)
            await ensure_idle(session, chat)
            if parts is not None:
                draft = Draft(role="user", parts=parts)
                message = await append(session, chat, draft, parent_id=chat.head_id)
            elif chat.head_id is None:
                raise CannotBranch
            else:
                message = await message_of(session, chat, chat.head_id)
            if message.role != "user":
                raise CannotBranch
            run = await insert_run(
                session,
                chat,
                user_message_id=message.id,
                user_id=user_of(principal),
                owner=owner,
                lease_seconds=lease_seconds,
            )
            return message, run

    async def messages(
        self,
        principal: Principal,
        session_id: str,
        *,
        every_branch: bool = False,
        cursor: str | None = None,
        limit: int = 50,
    ) -> tuple[list[ChatMessage], str | None]:
        """The newest page, oldest message first; its cursor leads to the page before it."""
        async with self._reading() as session:
            chat = await Sessions(session).readable_by(principal, session_id)
            if every_branch:
                before = decode_cursor(cursor, tuple[SequenceNumber])[0] if cursor else None
                found = await newest(session, chat, before=before, limit=limit + 1)
                rows, following = page_of(found, limit=limit, key=lambda row: (row.sequence,))
                return rows[::-1], following
            start = decode_cursor(cursor, tuple[IdText])[0] if cursor else chat.head_id
            rows = list(await ancestors(session, chat, start, limit=limit))
            above = rows[-1].parent_id if rows else None
            return rows[::-1], encode_cursor(above) if above else None

    async def history(self, principal: Principal, session_id: str) -> list[ChatMessage]:
        """The whole branch that ends in the head, the oldest first."""
        async with self._reading() as session:
            chat = await Sessions(session).readable_by(principal, session_id)
            rows = [row async for chunk in walk_back(session, chat, chat.head_id) for row in chunk]
        return rows[::-1]

    async def context(
        self,
        principal: Principal,
        session_id: str,
        limits: Limits,
        *,
        head_id: str | None = HEAD,
        count: Count = approximate_tokens,
    ) -> Context:
        """What fits of the branch that ends in a message, cut between turns, results filled in."""
        async with self._reading() as session:
            chat = await Sessions(session).readable_by(principal, session_id)
            start = chat.head_id if head_id == HEAD else head_id
            return await recall(session, chat, start, limits=limits, count=count)

    async def branches(self, principal: Principal, session_id: str) -> list[Fork]:
        """Where the conversation was continued in several ways."""
        async with self._reading() as session:
            chat = await Sessions(session).readable_by(principal, session_id)
            return await forks(session, chat)

    async def branch_from(
        self, principal: Principal, session_id: str, message_id: str, *, text: str | None
    ) -> ChatMessage:
        """Get ready to answer in another way; the head is then a message of the user's.

        With a text, the user's message is said again in other words, beside the first. Without
        one, an answer of the assistant's gives way to another answer to the same message.
        """
        async with self._changing() as session:
            chat = await Sessions(session).owned_by(principal, session_id)
            await ensure_idle(session, chat)
            message = await message_of(session, chat, message_id)
            if text is not None:
                if message.role != "user":
                    raise CannotBranch
                draft = Draft(role="user", parts=(TextPart(text),))
                return await append(session, chat, draft, parent_id=message.parent_id)
            asked = await asked_before(session, chat, message)
            chat.head_id, chat.updated_at = asked.id, utc_now()
            return asked

    async def switch_branch(
        self, principal: Principal, session_id: str, message_id: str
    ) -> ChatSession:
        """Continue where the branch through a message was left."""
        async with self._changing() as session:
            chat = await Sessions(session).owned_by(principal, session_id)
            await ensure_idle(session, chat)
            message = await message_of(session, chat, message_id)
            chat.head_id = await newest_leaf(session, chat, message)
            chat.updated_at = utc_now()
        return chat

    async def rate(
        self,
        principal: Principal,
        session_id: str,
        message_id: str,
        *,
        rating: Rating | None,
        comment: str | None,
    ) -> ChatMessage:
        """Keep what the owner thinks of an answer; without a rating and comment, forget it."""
        async with self._changing() as session:
            chat = await Sessions(session).owned_by(principal, session_id)
            message = await message_of(session, chat, message_id)
            if message.role != "assistant":
                raise CannotRate
            message.rating = rating
            message.comment = printable(comment).strip() or None if comment else None
            message.rated_at = utc_now() if rating or message.comment else None
        return message

    async def tool_executions(
        self,
        principal: Principal,
        session_id: str,
        *,
        message_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> tuple[list[ToolUse], str | None]:
        """What tools did in the session, or for one message, in order; and the next cursor."""
        after = decode_cursor(cursor, tuple[IdText])[0] if cursor else ""
        async with self._reading() as session:
            chat = await Sessions(session).readable_by(principal, session_id)
            found = await tool_uses(
                session, chat.id, message_id=message_id, after=after, limit=limit + 1
            )
        return page_of(found, limit=limit, key=lambda use: (use.id,))

    async def summary(self, principal: Principal, session_id: str) -> ChatSummary | None:
        """What the next answer on the present branch starts from, instead of its beginning."""
        async with self._reading() as session:
            chat = await Sessions(session).readable_by(principal, session_id)
            return await summary_in_force(session, chat, chat.head_id)

    async def summaries(
        self, principal: Principal, session_id: str, *, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[ChatSummary], str | None]:
        """Every summary of the session, over all branches, in order; and the next cursor."""
        after = decode_cursor(cursor, tuple[IdText])[0] if cursor else ""
        async with self._reading() as session:
            chat = await Sessions(session).readable_by(principal, session_id)
            found = await summaries_of(session, chat.id, after=after, limit=limit + 1)
        return page_of(found, limit=limit, key=lambda row: (row.id,))

    async def statistics(self, principal: Principal, session_id: str) -> Statistics:
        """What the session amounts to, over all its branches."""
        async with self._reading() as session:
            chat = await Sessions(session).readable_by(principal, session_id)
            return await statistics_of(session, chat.id)

    async def export(
        self, principal: Principal, session_id: str, *, with_tools: bool
    ) -> Conversation:
        """The session ready to be streamed as a file; refused here, not in the middle of it."""
        async with self._reading() as session:
            chat = await Sessions(session).readable_by(principal, session_id)
            branch = await branch_ids(session, chat)
        return Conversation(self.database, chat, frozenset(branch), with_tools)

    async def active_run(self, principal: Principal, session_id: str) -> ChatRun | None:
        """The run that answers the session now."""
        async with self._reading() as session:
            chat = await Sessions(session).readable_by(principal, session_id)
            return await active_run(session, chat.id)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncSession]:
        with translated_errors():
            async with self.database.unit_of_work() as session:
                yield session

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncSession]:
        with translated_errors():
            async with self.database.reading() as session:
                yield session
