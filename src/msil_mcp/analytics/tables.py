"""Summaries of hours and days that are over."""

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.db.database import Base, UtcDateTime


class AnalyticsSummary(Base):
    """What calls amounted to in one hour or UTC day; made once, when it is over."""

    __tablename__ = "analytics_summaries"

    start: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    seconds: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
