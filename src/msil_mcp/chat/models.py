"""The tables of conversations. What their tools did is `tool_executions`, joined by its ids."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.chat.parts import Parts, decode_parts
from msil_mcp.db.database import Base, UtcDateTime
from msil_mcp.sealing import random_hex

Role = Literal["user", "assistant", "system"]
MessageStatus = Literal["complete", "partial", "interrupted", "stopped"]
Rating = Literal["up", "down"]
RunState = Literal[
    "queued", "running", "waiting_approval", "succeeded", "failed", "stopped", "interrupted"
]

IdText = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{1,40}$")]
AwareMoment = Annotated[datetime, msgspec.Meta(tz=True)]
SequenceNumber = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
"""What a cursor may hold; anything else could not be asked of a database."""

ACTIVE_STATES: Final[tuple[RunState, ...]] = ("queued", "running", "waiting_approval")
ACTIVE: Final = "state IN ('queued', 'running', 'waiting_approval')"


def new_id() -> str:
    """Ordered by time, unguessable at the end."""
    return f"{time.time_ns() // 1000:014x}{random_hex(8)}"


def one_of(column: str, values: object) -> CheckConstraint:
    """The column holds one of a Literal's values."""
    listed = ", ".join(f"'{value}'" for value in get_args(values))
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class ChatSession(Base):
    """A conversation of one owner.

    `active_at` orders lists: the last message's time, or the creation's before there is one. `key`
    is the owner's own name for the session. `next_sequence` is the number of the next message.
    """

    __tablename__ = "chat_sessions"
    __table_args__ = (
        UniqueConstraint("owner_id", "key"),
        Index(
            "ix_chat_sessions_listing",
            "owner_id",
            "pinned",
            "active_at",
            "id",
            "archived",
            postgresql_where=text("deleted_at IS NULL"),
            sqlite_where=text("deleted_at IS NULL"),
        ),
        Index(None, "active_at", "id"),
        Index(
            "ix_chat_sessions_deleted",
            "deleted_at",
            postgresql_where=text("deleted_at IS NOT NULL"),
            sqlite_where=text("deleted_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    owner_id: Mapped[str] = mapped_column(String(500))
    key: Mapped[str | None] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(String(200), default="")
    folded_title: Mapped[str] = mapped_column(Text, default="")
    language: Mapped[str | None] = mapped_column(String(16))
    model: Mapped[str | None] = mapped_column(String(200))
    pinned: Mapped[bool] = mapped_column(default=False)
    archived: Mapped[bool] = mapped_column(default=False)
    head_id: Mapped[str | None] = mapped_column(String(40))
    next_sequence: Mapped[int] = mapped_column(default=1)
    attributes: Mapped[Mapping[str, Any]] = mapped_column("metadata", JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    active_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_message_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ChatMessage(Base):
    """One entry of a conversation; `parent_id` is what it follows, so siblings are branches.

    `sequence` numbers the messages of a session without a gap, over all branches. A parent's is
    always less than its children's. Costs are in billionths of a US dollar, so that sums are exact.
    """

    __tablename__ = "chat_messages"
    __table_args__ = (
        UniqueConstraint("session_id", "sequence"),
        Index(None, "session_id", "parent_id"),
        Index(
            "ix_chat_messages_rated",
            "created_at",
            "id",
            postgresql_where=text("rating IS NOT NULL"),
            sqlite_where=text("rating IS NOT NULL"),
        ),
        one_of("role", Role),
        one_of("status", MessageStatus),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    session_id: Mapped[str] = mapped_column(ForeignKey("chat_sessions.id", ondelete="CASCADE"))
    sequence: Mapped[int]
    parent_id: Mapped[str | None] = mapped_column(String(40))
    role: Mapped[Role] = mapped_column(String(10))
    status: Mapped[MessageStatus] = mapped_column(String(12), default="complete")
    content: Mapped[str] = mapped_column(Text)
    folded_text: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(String(200))
    input_tokens: Mapped[int] = mapped_column(default=0)
    output_tokens: Mapped[int] = mapped_column(default=0)
    cached_tokens: Mapped[int] = mapped_column(default=0)
    cost_nanos: Mapped[int] = mapped_column(BigInteger, default=0)
    run_id: Mapped[str | None] = mapped_column(String(40))
    rating: Mapped[Rating | None] = mapped_column(String(4))
    comment: Mapped[str | None] = mapped_column(Text)
    rated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def parts(self) -> Parts:
        """The content, decoded."""
        return decode_parts(self.content)


class ChatRun(Base):
    """One answer in the making, detached from the request that asked for it.

    The process `owner` keeps it alive until `lease_until`. What it takes is charged to `user_id`;
    `model` is the configured name of the model that answered last. `limit_hit` names the limit
    that ended it, `error` is the slug of what went wrong, `stop_requested_at` says that a person
    wants it to end. `first_token_ms` is how long the person waited until a model said something.
    """

    __tablename__ = "chat_runs"
    __table_args__ = (
        Index(
            "uq_chat_runs_active",
            "session_id",
            unique=True,
            postgresql_where=text(ACTIVE),
            sqlite_where=text(ACTIVE),
        ),
        Index(None, "session_id"),
        Index(None, "state", "lease_until"),
        one_of("state", RunState),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    session_id: Mapped[str] = mapped_column(ForeignKey("chat_sessions.id", ondelete="CASCADE"))
    state: Mapped[RunState] = mapped_column(String(20), default="queued")
    user_id: Mapped[str] = mapped_column(String(500))
    owner: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    user_message_id: Mapped[str] = mapped_column(String(40))
    assistant_message_id: Mapped[str | None] = mapped_column(String(40))
    limit_hit: Mapped[str | None] = mapped_column(String(40))
    error: Mapped[str | None] = mapped_column(String(64))
    model: Mapped[str | None] = mapped_column(String(200))
    model_requests: Mapped[int] = mapped_column(default=0)
    tool_calls: Mapped[int] = mapped_column(default=0)
    input_tokens: Mapped[int] = mapped_column(default=0)
    output_tokens: Mapped[int] = mapped_column(default=0)
    cached_tokens: Mapped[int] = mapped_column(default=0)
    cost_nanos: Mapped[int] = mapped_column(BigInteger, default=0)
    first_token_ms: Mapped[float | None] = mapped_column(Double)
    stop_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
