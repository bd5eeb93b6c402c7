"""The jobs table."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Float,
    Identity,
    Index,
    Integer,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.db.database import Base, UtcDateTime

State = Literal["pending", "running", "done", "dead"]

UNFINISHED: Final = "state IN ('pending', 'running')"


class Job(Base):
    """One piece of work.

    At most one unfinished job has a given key. `attempts` counts how often it was begun and, with
    the owner, proves that a lease is still the holder's. A job with `interval_seconds` is never
    done: it begins again that long after it ended.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(
            "state IN ({})".format(", ".join(f"'{state}'" for state in get_args(State))),
            name="state",
        ),
        Index(
            "uq_jobs_unfinished_key",
            "key",
            unique=True,
            postgresql_where=text(UNFINISHED),
            sqlite_where=text(UNFINISHED),
        ),
        Index(None, "state", "run_at"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True
    )
    kind: Mapped[str] = mapped_column(String(100))
    key: Mapped[str | None] = mapped_column(String(200))
    payload: Mapped[Mapping[str, Any]] = mapped_column(JSON)
    state: Mapped[State] = mapped_column(String(10), default="pending")
    run_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    max_attempts: Mapped[int] = mapped_column(Integer)
    interval_seconds: Mapped[float | None] = mapped_column(Float)
    lease_owner: Mapped[str | None] = mapped_column(String(100))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
