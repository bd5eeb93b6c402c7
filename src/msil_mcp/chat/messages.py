"""Adding messages, finishing them, and walking the branch that ends in one.

Everything here works inside the caller's transaction. Appending reads and writes the same rows
whether the session holds no message or ten thousand.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Row, Select, bindparam, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from msil_mcp.chat.errors import CannotBranch, MessageFinished, MessageNotFound
from msil_mcp.chat.models import ChatMessage, ChatSession, MessageStatus, Role, new_id
from msil_mcp.chat.parts import Part, encode_parts, folded, printable, spoken_text
from msil_mcp.db.database import utc_now

TITLE_LENGTH: Final = 80
CHUNK: Final = 64
_SEARCHED: Final[frozenset[Role]] = frozenset({"user", "assistant"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a model's work took; `cost_nanos` in billionths of a US dollar."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_nanos: int = 0


NO_USAGE: Final = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message to be added; `id` where it was given out before."""

    role: Role
    parts: Sequence[Part]
    status: MessageStatus = "complete"
    model: str | None = None
    usage: Usage = NO_USAGE
    run_id: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Fork:
    """A place where the conversation was continued in several ways, oldest first.

    `parent_id` of None is its very beginning; `chosen` is the one on the present branch, if any.
    """

    parent_id: str | None
    children: tuple[str, ...]
    chosen: str | None


async def append(
    session: AsyncSession, chat: ChatSession, draft: Draft, *, parent_id: str | None
) -> ChatMessage:
    """Add a message below a parent and make it the head; `chat` is locked by the caller."""
    now = utc_now()
    message = ChatMessage(
        id=draft.id or new_id(),
        session_id=chat.id,
        sequence=chat.next_sequence,
        parent_id=parent_id,
        role=draft.role,
        status=draft.status,
        content=encode_parts(draft.parts),
        folded_text=_searched(draft.role, draft.parts),
        model=draft.model,
        input_tokens=draft.usage.input_tokens,
        output_tokens=draft.usage.output_tokens,
        cached_tokens=draft.usage.cached_tokens,
        cost_nanos=draft.usage.cost_nanos,
        run_id=draft.run_id,
        created_at=now,
    )
    session.add(message)
    chat.next_sequence += 1
    chat.head_id = message.id
    chat.active_at = chat.last_message_at = chat.updated_at = now
    if not chat.title and draft.role == "user":
        entitle(chat, shortened(spoken_text(draft.parts)))
    await session.flush()
    return message


def entitle(chat: ChatSession, title: str) -> None:
    """Give a session a title, and what it is found by."""
    chat.title = printable(title).strip()
    chat.folded_title = folded(title)


def shortened(text: str) -> str:
    """The beginning of a text as a title, cut between words where there are any."""
    line = " ".join(printable(text).split())
    if len(line) <= TITLE_LENGTH:
        return line
    cut = line[:TITLE_LENGTH]
    return (cut.rpartition(" ")[0] or cut) + "…"


async def change_content(
    session: AsyncSession,
    message_id: str,
    *,
    parts: Sequence[Part],
    status: MessageStatus,
    model: str | None = None,
    usage: Usage | None = None,
) -> ChatMessage:
    """Say what a partial message has become; MessageFinished when it is not partial any more."""
    query = select(ChatMessage).where(ChatMessage.id == message_id).with_for_update()
    message = (await session.scalars(query)).one_or_none()
    if message is None:
        raise MessageNotFound
    if message.status != "partial":
        raise MessageFinished
    revise(message, parts)
    message.status = status
    message.model = model or message.model
    if usage is not None:
        message.input_tokens = usage.input_tokens
        message.output_tokens = usage.output_tokens
        message.cached_tokens = usage.cached_tokens
        message.cost_nanos = usage.cost_nanos
    await session.flush()
    return message


def revise(message: ChatMessage, parts: Sequence[Part]) -> None:
    """Say something else in a message, and have it found by that."""
    message.content = encode_parts(parts)
    message.folded_text = _searched(message.role, parts)


async def message_of(session: AsyncSession, chat: ChatSession, message_id: str) -> ChatMessage:
    """A message of this very session."""
    query = select(ChatMessage).where(
        ChatMessage.id == message_id, ChatMessage.session_id == chat.id
    )
    message = (await session.scalars(query)).one_or_none()
    if message is None:
        raise MessageNotFound
    return message


async def newest(
    session: AsyncSession, chat: ChatSession, *, before: int | None, limit: int
) -> Sequence[ChatMessage]:
    """Messages of all branches, the newest first, from before a sequence number."""
    query = select(ChatMessage).where(ChatMessage.session_id == chat.id)
    if before is not None:
        query = query.where(ChatMessage.sequence < before)
    return (await session.scalars(query.order_by(ChatMessage.sequence.desc()).limit(limit))).all()


async def oldest(
    session: AsyncSession, chat: ChatSession, *, after: int, limit: int
) -> Sequence[ChatMessage]:
    """Messages of all branches, the oldest first, from after a sequence number."""
    query = select(ChatMessage).where(
        ChatMessage.session_id == chat.id, ChatMessage.sequence > after
    )
    return (await session.scalars(query.order_by(ChatMessage.sequence).limit(limit))).all()


async def ancestors(
    session: AsyncSession, chat: ChatSession, message_id: str | None, *, limit: int
) -> Sequence[ChatMessage]:
    """The message and up to `limit - 1` of those before it on its branch, the newest first."""
    if message_id is None:
        return ()
    place = {"newest": message_id, "session": chat.id, "many": limit}
    return (await session.scalars(_WALK, place)).all()


async def walk_back(
    session: AsyncSession, chat: ChatSession, message_id: str | None
) -> AsyncIterator[Sequence[ChatMessage]]:
    """The whole branch that ends in the message, the newest first, a chunk at a time."""
    following = message_id
    while following is not None:
        found = await ancestors(session, chat, following, limit=CHUNK)
        if found:
            yield found
        following = found[-1].parent_id if found else None


async def asked_before(
    session: AsyncSession, chat: ChatSession, message: ChatMessage
) -> ChatMessage:
    """The user's message that an answer of the assistant's belongs to; CannotBranch for others."""
    if message.role != "assistant":
        raise CannotBranch
    async for chunk in walk_back(session, chat, message.parent_id):
        for row in chunk:
            if row.role == "user":
                return row
    raise CannotBranch


async def newest_leaf(session: AsyncSession, chat: ChatSession, message: ChatMessage) -> str:
    """The end of the branch that was continued last below a message."""
    below = aliased(ChatMessage)
    tree = (
        select(ChatMessage.id, ChatMessage.sequence)
        .where(ChatMessage.id == message.id)
        .cte("tree", recursive=True)
    )
    tree = tree.union_all(
        select(below.id, below.sequence).where(
            below.session_id == chat.id, below.parent_id == tree.c.id
        )
    )
    leaf: str = (
        await session.execute(select(tree.c.id).order_by(tree.c.sequence.desc()).limit(1))
    ).scalar_one()
    return leaf


async def forks(session: AsyncSession, chat: ChatSession) -> list[Fork]:
    """Every place with more than one continuation, in the order of the conversation."""
    query = select(ChatMessage.id, ChatMessage.parent_id).where(ChatMessage.session_id == chat.id)
    rows = (await session.execute(query.order_by(ChatMessage.sequence))).all()
    children: dict[str | None, list[str]] = {}
    for message_id, parent_id in rows:
        children.setdefault(parent_id, []).append(message_id)
    branch = set(_path(rows, chat.head_id))
    return [
        Fork(parent, tuple(ids), next((one for one in ids if one in branch), None))
        for parent, ids in children.items()
        if len(ids) > 1
    ]


async def branch_ids(session: AsyncSession, chat: ChatSession) -> set[str]:
    """The ids of the messages on the present branch."""
    query = select(ChatMessage.id, ChatMessage.parent_id).where(ChatMessage.session_id == chat.id)
    rows = (await session.execute(query)).all()
    return set(_path(rows, chat.head_id))


def _path(links: Iterable[Row[str, str | None]], head_id: str | None) -> list[str]:
    parents = {message_id: parent_id for message_id, parent_id in links}  # noqa: C416 typed so
    path = []
    while head_id is not None:
        path.append(head_id)
        head_id = parents[head_id]
    return path


def walk_query() -> Select[ChatMessage]:
    """From the message `newest` of the `session` back, at most so `many`."""
    above = aliased(ChatMessage)
    newest_one = (ChatMessage.id == bindparam("newest")) & (
        ChatMessage.session_id == bindparam("session")
    )
    walk = (
        select(ChatMessage.id, ChatMessage.parent_id, literal_column("1").label("depth"))
        .where(newest_one)
        .cte("walk", recursive=True)
    )
    walk = walk.union_all(
        select(above.id, above.parent_id, walk.c.depth + 1).where(
            above.id == walk.c.parent_id, walk.c.depth < bindparam("many")
        )
    )
    return (
        select(ChatMessage)
        .join(walk, walk.c.id == ChatMessage.id)
        .order_by(ChatMessage.sequence.desc())
    )


_WALK: Final = walk_query()


def _searched(role: Role, parts: Sequence[Part]) -> str | None:
    return folded(spoken_text(parts)) if role in _SEARCHED else None
