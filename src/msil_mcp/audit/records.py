"""What an audit record says, and the tables it is kept in.

`AuditRecord` is what callers hand to the writer. Everything personal in it is masked before it
gets there (`msil_mcp.audit.masking`); `subjects` and `policy_inputs` are kept as they are, so that
"who made BK…?" can be answered and policies can be replayed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.db.database import Base, UtcDateTime
from msil_mcp.principal import Principal

FORMAT: Final = 1
"""Version of the canonical encoding that records are hashed in; see `msil_mcp.audit.chain`."""

Kind = Literal["tool.call", "run", "admin", "approval", "auth"]
Origin = Literal["mcp", "chat", "rest", "batch"]
RecordOutcome = Literal["succeeded", "failed", "denied", "needs_confirmation", "unknown"]

_BIG = BigInteger().with_variant(Integer, "sqlite")


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that happened; durable once the writer has said so.

    `arguments` and `result` are texts already masked (`Masker.arguments`, `Masker.result`).
    `rule` is the link of the chain that decided, `error` the slug of what went wrong. Durations
    are in milliseconds. Without `at`, the time of its batch is taken.
    """

    kind: Kind
    action: str
    outcome: RecordOutcome
    principal: Principal | None = None
    at: datetime | None = None
    rule: str | None = None
    error: str | None = None
    origin: str | None = None
    tool: str | None = None
    tool_version_id: int | None = None
    tool_hash: str | None = None
    bundle: str | None = None
    risk: str | None = None
    arguments_hash: str | None = None
    arguments: str | None = None
    result: str | None = None
    subjects: Mapping[str, str] | None = None
    policy_inputs: Mapping[str, Any] | None = None
    approval_id: str | None = None
    execution_id: str | None = None
    idempotency: bool = False
    correlation_id: str | None = None
    trace_id: str | None = None
    session_id: str | None = None
    run_id: str | None = None
    upstream_status: int | None = None
    duration_ms: float | None = None
    upstream_ms: float | None = None
    replayed: bool = False
    target: str | None = None
    details: Mapping[str, Any] | None = None


class AuditRecordRow(Base):
    """A record as kept: never updated, deleted only by retention; the columns are hashed."""

    __tablename__ = "audit_records"
    __table_args__ = (
        UniqueConstraint("writer_id", "sequence"),
        Index(None, "at"),
        Index(None, "principal_id", "at"),
        Index(None, "tool", "at"),
        Index(None, "correlation_id"),
        # Most calls succeed; only the others are worth finding by their outcome.
        Index(
            None,
            "outcome",
            "at",
            sqlite_where=text("outcome <> 'succeeded'"),
            postgresql_where=text("outcome <> 'succeeded'"),
        ),
        # All that analytics counts by: it then reads no record.
        Index(
            "ix_audit_records_calls",
            "at",
            "tool",
            "outcome",
            "duration_ms",
            "error",
            "rule",
            "principal_id",
            "origin",
            sqlite_where=text("kind = 'tool.call'"),
            postgresql_where=text("kind = 'tool.call'"),
        ),
    )

    id: Mapped[int] = mapped_column(_BIG, primary_key=True)
    format: Mapped[int] = mapped_column(Integer)
    writer_id: Mapped[str] = mapped_column(String(32))
    sequence: Mapped[int] = mapped_column(BigInteger)
    prev_hash: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(32))
    rule: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    principal_id: Mapped[str | None] = mapped_column(Text)
    principal_kind: Mapped[str | None] = mapped_column(Text)
    principal_name: Mapped[str | None] = mapped_column(Text)
    roles: Mapped[str | None] = mapped_column(Text)
    origin: Mapped[str | None] = mapped_column(Text)
    tool: Mapped[str | None] = mapped_column(Text)
    tool_version_id: Mapped[int | None] = mapped_column(BigInteger)
    tool_hash: Mapped[str | None] = mapped_column(Text)
    bundle: Mapped[str | None] = mapped_column(Text)
    risk: Mapped[str | None] = mapped_column(Text)
    arguments_hash: Mapped[str | None] = mapped_column(Text)
    arguments: Mapped[str | None] = mapped_column(Text)
    result: Mapped[str | None] = mapped_column(Text)
    subjects: Mapped[str | None] = mapped_column(Text)
    policy_inputs: Mapped[str | None] = mapped_column(Text)
    approval_id: Mapped[str | None] = mapped_column(Text)
    execution_id: Mapped[str | None] = mapped_column(Text)
    idempotency: Mapped[bool] = mapped_column(Boolean)
    correlation_id: Mapped[str | None] = mapped_column(Text)
    trace_id: Mapped[str | None] = mapped_column(Text)
    session_id: Mapped[str | None] = mapped_column(Text)
    run_id: Mapped[str | None] = mapped_column(Text)
    upstream_status: Mapped[int | None] = mapped_column(Integer)
    duration_ms: Mapped[float | None] = mapped_column(Double)
    upstream_ms: Mapped[float | None] = mapped_column(Double)
    replayed: Mapped[bool] = mapped_column(Boolean)
    target: Mapped[str | None] = mapped_column(Text)
    details: Mapped[str | None] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(String(64))


class AuditSubjectRow(Base):
    """Finds records by what they were about; derived from `subjects`, and checked against it."""

    __tablename__ = "audit_subjects"
    __table_args__ = (Index(None, "value", "name"),)

    writer_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class AuditChainRow(Base):
    """One writer's chain: where it starts, where it ends, and a MAC over each.

    The head is the writer's to update, the base belongs to retention; so neither disturbs the
    other. `anchored` is the newest anchor this writer made.
    """

    __tablename__ = "audit_chains"

    writer_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    base_sequence: Mapped[int] = mapped_column(BigInteger)
    base_hash: Mapped[str] = mapped_column(String(64))
    base_key_id: Mapped[str] = mapped_column(String(16))
    base_mac: Mapped[str] = mapped_column(String(64))
    last_sequence: Mapped[int] = mapped_column(BigInteger)
    head_hash: Mapped[str] = mapped_column(String(64))
    closed: Mapped[bool] = mapped_column(Boolean)
    anchored: Mapped[int] = mapped_column(BigInteger)
    key_id: Mapped[str] = mapped_column(String(16))
    head_mac: Mapped[str] = mapped_column(String(64))


class AuditAnchorRow(Base):
    """The heads that moved since the anchor before, tied to it by a MAC.

    `heads` is a JSON array of `[writer_id, last_sequence, head_hash]`.
    """

    __tablename__ = "audit_anchors"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    prev_mac: Mapped[str] = mapped_column(String(64))
    heads: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(String(16))
    mac: Mapped[str] = mapped_column(String(64))


def table_of(model: type[Base]) -> Table:
    """The table of a mapped class, typed as one."""
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not mapped to a table")
    return table


RECORD_COLUMNS: Final = tuple(
    column.name for column in table_of(AuditRecordRow).columns if column.name != "id"
)
"""Every column but the id, in the order they are hashed; `hash` is last and not hashed itself."""
