"""Beginning a turn: what is said and the run that answers it, in one transaction."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.errors import CannotBranch, RunActive
from msil_mcp.chat.ledger import user_of
from msil_mcp.chat.messages import Draft, append, message_of, walk_back
from msil_mcp.chat.models import ChatMessage, ChatRun, ChatSession
from msil_mcp.chat.parts import TextPart
from msil_mcp.chat.runs import active_run, insert_run
from msil_mcp.chat.session_service import HEAD
from msil_mcp.chat.sessions import Sessions
from msil_mcp.chat.turn_errors import NothingAsked
from msil_mcp.db.database import Database, translated_errors
from msil_mcp.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a person wants answered.

    A text goes below the head, or below `below`; with `edits` it is said instead of that message.
    `again` has a message answered once more. The same `client_id` is the same turn.
    """

    text: str | None = None
    client_id: str | None = None
    below: str | None = HEAD
    edits: str | None = None
    again: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """The run and the message it answers; `repeated` when it was begun by an earlier request."""

    run: ChatRun
    message_id: str
    language: str | None
    model: str | None
    repeated: bool = False


class RunWaits(Exception):
    """The session's run waits for a person, who says something else instead."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


async def begin_turn(
    database: Database, principal: Principal, session_id: str, ask: Ask, *, owner: str
) -> Begun:
    """RunActive while another answer is made, RunWaits while one waits for a decision."""
    with translated_errors():
        async with database.unit_of_work() as session:
            chat = await Sessions(session).owned_by(principal, session_id)
            if ask.client_id is not None:
                found = await _begun_before(session, chat, ask.client_id)
                if found is not None:
                    return found
            active = await active_run(session, chat.id)
            if active is not None:
                if active.state == "waiting_approval" and active.owner is None:
                    raise RunWaits(active.id)
                raise RunActive(active.id)
            message = await _asked(session, chat, ask)
            run = await insert_run(
                session,
                chat,
                user_message_id=message.id,
                user_id=user_of(principal),
                owner=owner,
            )
            return Begun(run, message.id, chat.language, chat.model)


async def _asked(session: AsyncSession, chat: ChatSession, ask: Ask) -> ChatMessage:
    """The user's message to answer, stored and at the head."""
    if ask.again is not None:
        message = await _user_message(session, chat, ask.again)
        chat.head_id = message.id
        return message
    if ask.text is None:
        raise NothingAsked
    parent_id = chat.head_id if ask.below == HEAD else ask.below
    if ask.edits is not None:
        edited = await message_of(session, chat, ask.edits)
        if edited.role != "user":
            raise CannotBranch
        parent_id = edited.parent_id
    elif ask.below not in {HEAD, None}:
        await message_of(session, chat, ask.below or "")
    message_id = None if ask.client_id is None else message_id_of(chat.id, ask.client_id)
    draft = Draft(role="user", parts=(TextPart(ask.text),), id=message_id)
    return await append(session, chat, draft, parent_id=parent_id)


async def _user_message(session: AsyncSession, chat: ChatSession, message_id: str) -> ChatMessage:
    """The message itself, or the one an answer of the assistant's belongs to."""
    await message_of(session, chat, message_id)
    async for chunk in walk_back(session, chat, message_id):
        for row in chunk:
            if row.role == "user":
                return row
    raise CannotBranch


async def _begun_before(session: AsyncSession, chat: ChatSession, client_id: str) -> Begun | None:
    query = (
        select(ChatRun)
        .where(ChatRun.session_id == chat.id)
        .where(ChatRun.user_message_id == message_id_of(chat.id, client_id))
        .order_by(ChatRun.id)
        .limit(1)
    )
    run = (await session.scalars(query)).one_or_none()
    if run is None:
        return None
    return Begun(run, run.user_message_id, chat.language, chat.model, repeated=True)


def message_id_of(session_id: str, client_id: str) -> str:
    """The id of a message that a client has named itself."""
    return hashlib.sha256(f"{session_id}\n{client_id}".encode()).hexdigest()[:30]
