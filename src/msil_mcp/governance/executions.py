"""One row a call: intent, key, approval, lease, timings, outcome and the result for replay.

States: intended, dispatched, then succeeded, failed or unknown. An intent has an owner and a
lease, renewed while the owner lives, so that a dead owner does not block a key for ever.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
import structlog
from sqlalchemy import (
    ColumnElement,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.db.database import Base, Database, UtcDateTime, translated_errors, utc_now
from msil_mcp.governance.approvals import consume
from msil_mcp.governance.repeats import ResultForgotten, StillRunning
from msil_mcp.sealing import random_hex
from msil_mcp.tools.call import ToolCall, ToolResult

LEASE_SECONDS = 6.0
ONE_DAY = timedelta(days=1)

State = Literal["intended", "dispatched", "succeeded", "failed", "unknown"]
log = structlog.get_logger()


class ToolExecution(Base):
    """The record of one call's effect; `result` is kept only where it may be replayed."""

    __tablename__ = "tool_executions"
    __table_args__ = (
        UniqueConstraint("principal_id", "idempotency_key"),
        Index(None, "tool_name", "created_at"),
        Index(None, "session_id"),
        Index(None, "state", "lease_until"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[State] = mapped_column(String(20))
    principal_id: Mapped[str] = mapped_column(String(500))
    tool_name: Mapped[str] = mapped_column(String(64))
    tool_version_id: Mapped[int]
    origin: Mapped[str] = mapped_column(String(10))
    correlation_id: Mapped[str] = mapped_column(String(128))
    arguments_hash: Mapped[str] = mapped_column(String(64))
    arguments: Mapped[str | None] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    approval_id: Mapped[str | None] = mapped_column(String(40))
    owner: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(String(64))
    result: Mapped[str | None] = mapped_column(Text)
    upstream_status: Mapped[int | None]
    duration_ms: Mapped[float | None]
    session_id: Mapped[str | None] = mapped_column(String(40))
    run_id: Mapped[str | None] = mapped_column(String(40))
    message_id: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    dispatched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Execution:
    """A row as the rules need it."""

    id: str
    state: State
    tool_name: str
    tool_version_id: int
    arguments_hash: str
    approval_id: str | None
    owner: str | None
    lease_until: datetime | None
    attempts: int
    result: str | None
    upstream_status: int | None

    @property
    def is_finished(self) -> bool:
        """Whether there is a result to replay; a failure without an answer can be tried again."""
        if self.state == "failed":
            return self.upstream_status is not None
        return self.state == "succeeded"

    def is_alive(self, now: datetime) -> bool:
        """Whether an owner still works on it."""
        return self.lease_until is not None and self.lease_until > now


class StoredResult(msgspec.Struct, frozen=True):
    """What a replay answers; a structured result is its text, so it is kept once."""

    outcome: Literal["succeeded", "failed"]
    text: str
    structured: bool = False
    error: str | None = None
    upstream_status: int | None = None
    truncated: bool = False
    status: int = 200


def new_execution_id() -> str:
    """Ordered by time, unguessable at the end."""
    return f"{time.time_ns() // 1000:014x}{random_hex(8)}"


def stored_result(result: ToolResult) -> str:
    """The replayable part of a result, as JSON."""
    return msgspec.json.encode(
        StoredResult(
            outcome="succeeded" if result.outcome == "succeeded" else "failed",
            text=result.text,
            structured=result.structured is not None,
            error=result.error,
            upstream_status=result.upstream_status,
            truncated=result.truncated,
            status=result.status,
        )
    ).decode()


def replayed_result(execution: Execution) -> ToolResult:
    """The stored result, marked as a replay; ResultForgotten when it is past its time."""
    if execution.result is None:
        raise ResultForgotten(execution.state)
    stored = msgspec.json.decode(execution.result, type=StoredResult)
    return ToolResult(
        outcome=stored.outcome,
        text=stored.text,
        structured=msgspec.Raw(stored.text.encode()) if stored.structured else None,
        error=stored.error,
        rule="idempotency",
        execution_id=execution.id,
        upstream_status=stored.upstream_status,
        replayed=True,
        truncated=stored.truncated,
        status=stored.status,
    )


class Executions:
    """Intents and their leases; every method is one short transaction."""

    def __init__(
        self, *, database: Database, owner: str, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._database = database
        self._lease = timedelta(seconds=lease_seconds)
        self.owner = owner
        self._held: set[str] = set()
        self._renewing: asyncio.Task[None] | None = None

    async def start(self, *, alone: bool) -> None:
        """Begin renewing leases; a process that serves alone ends the leases of dead ones."""
        if alone:
            async with self._database.unit_of_work() as session:
                await session.execute(
                    update(ToolExecution)
                    .where(ToolExecution.state.in_(("intended", "dispatched")))
                    .where(ToolExecution.owner != self.owner)
                    .values(lease_until=None)
                )
        self._renewing = asyncio.create_task(self._renew(), name="execution-leases")

    async def close(self) -> None:
        """Stop renewing; what is unfinished expires by itself."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    async def find(self, *, principal_id: str, key: str) -> Execution | None:
        """The execution that this caller's key names."""
        row = ToolExecution
        query = select(
            row.id,
            row.state,
            row.tool_name,
            row.tool_version_id,
            row.arguments_hash,
            row.approval_id,
            row.owner,
            row.lease_until,
            row.attempts,
            row.result,
            row.upstream_status,
        ).where(row.principal_id == principal_id, row.idempotency_key == key)
        with translated_errors():
            async with self._database.reading() as session:
                found = (await session.execute(query)).one_or_none()
        return Execution(*found) if found else None

    async def intend(self, call: ToolCall, *, key: str | None, approval_id: str | None) -> str:
        """Insert the intent and consume its approval in one transaction; returns its id.

        Raises StillRunning when another call with the key got there first, and ApprovalUsed when
        the approval is no longer to be had.
        """
        execution_id = new_execution_id()
        values = intent_values(call, execution_id=execution_id, key=key) | {
            "state": "intended",
            "owner": self.owner,
            "lease_until": utc_now() + self._lease,
            "approval_id": approval_id,
            "attempts": 1,
        }
        try:
            async with self._changing() as session:
                if approval_id is not None:
                    await consume(session, approval_id, execution_id=execution_id)
                session.add(ToolExecution(**values))
                await session.flush()
        except IntegrityError as error:
            raise StillRunning from error
        self._held.add(execution_id)
        return execution_id

    async def take_over(self, execution: Execution) -> None:
        """Become the owner of an abandoned execution; StillRunning if another was quicker."""
        row = ToolExecution
        async with self._changing() as session:
            taken = await session.execute(
                update(row)
                .where(row.id == execution.id, row.attempts == execution.attempts)
                .where(_unfinished())
                .values(
                    owner=self.owner,
                    lease_until=utc_now() + self._lease,
                    attempts=row.attempts + 1,
                )
                .returning(row.id)
            )
            if taken.scalar_one_or_none() is None:
                raise StillRunning
        self._held.add(execution.id)

    async def dispatched(self, execution_id: str) -> None:
        """From here on the effect may have happened; StillRunning if another took it over."""
        row = ToolExecution
        async with self._changing() as session:
            marked = await session.execute(
                update(row)
                .where(row.id == execution_id, row.owner == self.owner)
                .where(_unfinished())
                .values(state="dispatched", dispatched_at=utc_now())
                .returning(row.id)
            )
            if marked.scalar_one_or_none() is None:
                raise StillRunning

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncSession]:
        """One transaction; DatabaseUnavailable when it cannot be had."""
        with translated_errors():
            async with self._database.unit_of_work() as session:
                yield session

    def release(self, execution_id: str) -> None:
        """The execution is finished; its lease needs no renewal."""
        self._held.discard(execution_id)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            if not self._held:
                continue
            try:
                async with self._database.unit_of_work() as session:
                    # What is locked is being finished, with others, in an order of its own.
                    held = select(ToolExecution.id).where(
                        ToolExecution.id.in_(tuple(self._held)), ToolExecution.owner == self.owner
                    )
                    await session.execute(
                        update(ToolExecution)
                        .where(ToolExecution.id.in_(held.with_for_update(skip_locked=True)))
                        .values(lease_until=utc_now() + self._lease)
                    )
            except (SQLAlchemyError, OSError) as error:
                log.warning("lease_renewal_failed", error=type(error).__name__)


async def abandon(
    session: AsyncSession, *, session_id: str, run_id: str, error: str
) -> list[ToolExecution]:
    """The calls of a conversation's run whose owner is gone; open ones end by what is known.

    What was not sent has failed, and is not sent any more; of what was sent nobody knows.
    """
    query = select(ToolExecution).where(
        ToolExecution.session_id == session_id, ToolExecution.run_id == run_id
    )
    rows = await session.scalars(query.order_by(ToolExecution.id).with_for_update())
    found = list(rows)
    for row in found:
        if row.state in {"intended", "dispatched"}:
            row.state = "failed" if row.state == "intended" else "unknown"
            row.error, row.finished_at = error, utc_now()
            row.owner = row.lease_until = None
    await session.flush()
    return found


async def count_unknown(session: AsyncSession) -> int:
    """Executions of the last day whose outcome nobody knows, those of dead owners included."""
    row, now = ToolExecution, utc_now()
    abandoned = and_(
        row.state == "dispatched", or_(row.lease_until.is_(None), row.lease_until < now)
    )
    query = select(func.count()).where(
        or_(row.state == "unknown", abandoned), row.created_at >= now - ONE_DAY
    )
    return (await session.execute(query)).scalar_one()


def _unfinished() -> ColumnElement[bool]:
    row = ToolExecution
    unanswered = and_(row.state == "failed", row.upstream_status.is_(None))
    return or_(row.state.in_(("intended", "dispatched", "unknown")), unanswered)


def intent_values(call: ToolCall, *, execution_id: str, key: str | None) -> dict[str, Any]:
    """The columns every row of a call begins with."""
    keeps_arguments = call.origin == "chat"
    return {
        "id": execution_id,
        "principal_id": call.principal.id,
        "tool_name": call.tool.name,
        "tool_version_id": call.tool.id,
        "origin": call.origin,
        "correlation_id": call.correlation_id,
        "arguments_hash": call.arguments_hash,
        "arguments": _encoded(call.arguments) if keeps_arguments else None,
        "idempotency_key": key,
        "session_id": call.session_id,
        "run_id": call.run_id,
        "message_id": call.message_id,
        "created_at": utc_now(),
    }


def _encoded(arguments: Mapping[str, Any]) -> str:
    return msgspec.json.encode(arguments).decode()
