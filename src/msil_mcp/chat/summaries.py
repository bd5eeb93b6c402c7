"""Summaries: what a model is shown instead of the earlier part of a branch. The messages stay.

A summary hangs on the last message it stands for, so it counts for exactly those branches that
contain everything in it. It is no message: it has no number, and no branch goes through it.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Row,
    String,
    Text,
    UniqueConstraint,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.chat import wire
from msil_mcp.chat.context import Entry
from msil_mcp.chat.messages import CHUNK, walk_query
from msil_mcp.chat.models import ChatMessage, ChatSession, new_id
from msil_mcp.chat.parts import TextPart
from msil_mcp.db.database import Base, UtcDateTime


class ChatSummary(Base):
    """Stands for `messages` messages: those of the branch up to and including `until_id`.

    Not `whole` when some of them could not be taken into it. `tools` were called in them. What
    making it took is part of its run's; costs are in billionths of a US dollar.
    """

    __tablename__ = "chat_summaries"
    __table_args__ = (UniqueConstraint("session_id", "until_id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    session_id: Mapped[str] = mapped_column(ForeignKey("chat_sessions.id", ondelete="CASCADE"))
    until_id: Mapped[str] = mapped_column(String(40))
    messages: Mapped[int]
    whole: Mapped[bool]
    text: Mapped[str] = mapped_column(Text)
    tools: Mapped[list[str]] = mapped_column(JSON)
    model: Mapped[str] = mapped_column(String(200))
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    cost_nanos: Mapped[int] = mapped_column(BigInteger)
    run_id: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def entry(self) -> Entry:
        """The summary as the model reads it."""
        return Entry(self.until_id, "summary", (TextPart(self.text),))

    @property
    def chunk(self) -> str:
        """What the stream of its run says of it."""
        facts = {"until_id": self.until_id, "messages": self.messages, "whole": self.whole}
        return wire.summary_state(self.run_id, "made", summary_id=self.id, **facts)


_WALK: Final = (
    walk_query()
    .add_columns(ChatSummary)
    .outerjoin(
        ChatSummary,
        (ChatSummary.session_id == ChatMessage.session_id)
        & (ChatSummary.until_id == ChatMessage.id),
    )
)


async def walk_back_summarised(
    session: AsyncSession, chat: ChatSession, message_id: str | None
) -> AsyncIterator[Sequence[Row[ChatMessage, ChatSummary | None]]]:
    """The branch that ends in the message, newest first, each with the summary that hangs on it."""
    following = message_id
    while following is not None:
        place = {"newest": following, "session": chat.id, "many": CHUNK}
        found = (await session.execute(_WALK, place)).all()
        if found:
            yield found
        following = found[-1][0].parent_id if found else None


async def summary_in_force(
    session: AsyncSession, chat: ChatSession, message_id: str | None
) -> ChatSummary | None:
    """What stands for the beginning of the branch that ends in the message: its newest summary.

    A turn has to follow what it stands for, since the newest turn is always shown as it is.
    """
    if not await _has_summaries(session, chat):
        return None
    below = False
    async for chunk in walk_back_summarised(session, chat, message_id):
        for message, summary in chunk:
            if below and summary is not None:
                return summary
            below = below or message.role == "user"
    return None


async def summaries_of(
    session: AsyncSession, session_id: str, *, after: str = "", limit: int
) -> Sequence[ChatSummary]:
    """Every summary of a session, of all branches, in the order they were made."""
    query = select(ChatSummary).where(ChatSummary.session_id == session_id, ChatSummary.id > after)
    return (await session.scalars(query.order_by(ChatSummary.id).limit(limit))).all()


async def made_in(session: AsyncSession, *, session_id: str, run_id: str) -> Sequence[ChatSummary]:
    """The summaries a run has made."""
    query = select(ChatSummary).where(
        ChatSummary.session_id == session_id, ChatSummary.run_id == run_id
    )
    return (await session.scalars(query.order_by(ChatSummary.id))).all()


async def _has_summaries(session: AsyncSession, chat: ChatSession) -> bool:
    query = select(ChatSummary.id).where(ChatSummary.session_id == chat.id).limit(1)
    return (await session.scalars(query)).one_or_none() is not None
