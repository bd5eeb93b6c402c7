"""Subscriptions, their deliveries, and how far the trail has been read for them."""

from datetime import datetime
from typing import Final, Literal, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.db.database import Base, UtcDateTime, utc_now

DeliveryState = Literal["pending", "delivered", "failed", "dead"]
"""`failed` is tried again at `next_at`; `dead` is not, unless somebody replays it."""

OPEN: Final = "state IN ('pending', 'failed')"
DEAD: Final = "state = 'dead'"


class Webhook(Base):
    """Where to post which events.

    The secrets are sealed and bound to the id; the previous one signs beside the present one
    until `previous_until`. Records with ids up to `first_record` came before the subscription.
    """

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    event_types: Mapped[list[str]] = mapped_column(JSON)
    secret: Mapped[str] = mapped_column(Text)
    previous_secret: Mapped[str | None] = mapped_column(Text)
    previous_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    allow_private: Mapped[bool] = mapped_column(Boolean, default=False)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    paused_because: Mapped[str | None] = mapped_column(Text)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_record: Mapped[int] = mapped_column(BigInteger, default=0)
    created_by: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class WebhookDelivery(Base):
    """One event for one webhook; `payload` is the very text that is signed and sent."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint(
            "state IN ({})".format(", ".join(f"'{state}'" for state in get_args(DeliveryState))),
            name="state",
        ),
        UniqueConstraint("webhook_id", "event_id"),
        Index(None, "webhook_id", "state"),
        Index(
            "ix_webhook_deliveries_open",
            "next_at",
            postgresql_where=text(OPEN),
            sqlite_where=text(OPEN),
        ),
        Index(
            "ix_webhook_deliveries_dead",
            "id",
            postgresql_where=text(DEAD),
            sqlite_where=text(DEAD),
        ),
        Index(None, "created_at"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True
    )
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(String(64))
    event_type: Mapped[str] = mapped_column(String(64))
    payload: Mapped[str] = mapped_column(Text)
    state: Mapped[DeliveryState] = mapped_column(String(10), default="pending")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_error: Mapped[str | None] = mapped_column(Text)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WebhookCursor(Base):
    """Up to where a chain of the trail has become deliveries.

    Sequences of one chain are in the order of their commits, which record ids are not.
    """

    __tablename__ = "webhook_cursors"

    writer_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
