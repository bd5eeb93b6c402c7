"""Where events of replicas pass through."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.bus.events import MAX_TOPIC_CHARACTERS
from msil_mcp.db.database import Base, UtcDateTime, utc_now


class BusEvent(Base):
    """One event, kept for minutes; ids are in the order of commits. Unused on SQLite."""

    __tablename__ = "bus_events"
    __table_args__ = (Index(None, "topic", "id"),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True
    )
    topic: Mapped[str] = mapped_column(String(MAX_TOPIC_CHARACTERS))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True, default=utc_now)
