"""Runs: one answer in the making a session, kept alive by the lease of the process that makes it.

Everything here works inside the caller's transaction. A run that is not its owner's any more can
be neither renewed, nor moved, nor finished, and nothing is added to it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.errors import RunActive, RunLost
from msil_mcp.chat.ledger import Booking, book
from msil_mcp.chat.messages import NO_USAGE, Usage
from msil_mcp.chat.models import (
    ACTIVE_STATES,
    ChatMessage,
    ChatRun,
    ChatSession,
    MessageStatus,
    RunState,
    new_id,
)
from msil_mcp.db.database import utc_now

LEASE_SECONDS: Final = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended, and what it took."""

    state: RunState
    usage: Usage = NO_USAGE
    model: str | None = None
    model_requests: int = 0
    tool_calls: int = 0
    limit_hit: str | None = None
    error: str | None = None


async def active_run(
    session: AsyncSession, session_id: str, *, lock: bool = False
) -> ChatRun | None:
    """The run that answers the session now; its row locked where it is about to be changed."""
    query = select(ChatRun).where(ChatRun.session_id == session_id, _is_active())
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()


async def ensure_idle(session: AsyncSession, chat: ChatSession) -> None:
    """RunActive while a run writes below the head, which must not move then."""
    run = await active_run(session, chat.id)
    if run is not None:
        raise RunActive(run.id)


async def insert_run(
    session: AsyncSession,
    chat: ChatSession,
    *,
    user_message_id: str,
    user_id: str,
    owner: str | None,
    lease_seconds: float = LEASE_SECONDS,
) -> ChatRun:
    """A run for a session that is locked by the caller; RunActive when it has one.

    Without an owner it is queued, and whoever takes it first makes it. `user_id` is whose budget
    it draws on.
    """
    existing = await active_run(session, chat.id)
    if existing is not None:
        raise RunActive(existing.id)
    now = utc_now()
    run = ChatRun(
        id=new_id(),
        session_id=chat.id,
        state="queued" if owner is None else "running",
        user_id=user_id,
        owner=owner,
        lease_until=now + timedelta(seconds=lease_seconds),
        user_message_id=user_message_id,
        created_at=now,
        started_at=None if owner is None else now,
    )
    session.add(run)
    try:
        await session.flush()
    except IntegrityError as error:
        raise RunActive from error
    return run


async def take_run(
    session: AsyncSession, run_id: str, *, owner: str, lease_seconds: float = LEASE_SECONDS
) -> ChatRun:
    """Become the owner of a run that is queued, or that waits for an approval; else RunLost."""
    free = or_(
        ChatRun.state == "queued",
        (ChatRun.state == "waiting_approval") & ChatRun.owner.is_(None),
    )
    run = await _locked(session, run_id, free)
    run.state, run.owner = "running", owner
    run.lease_until = utc_now() + timedelta(seconds=lease_seconds)
    run.started_at = run.started_at or utc_now()
    await session.flush()
    return run


async def hold_run(
    session: AsyncSession, run_id: str, *, owner: str, lease_seconds: float = LEASE_SECONDS
) -> ChatRun:
    """The run, its lease extended and its row locked; RunLost when it is not the owner's."""
    statement = (
        update(ChatRun)
        .where(ChatRun.id == run_id, _owned(owner))
        .values(lease_until=utc_now() + timedelta(seconds=lease_seconds))
        .returning(ChatRun)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    run = (await session.scalars(statement)).one_or_none()
    if run is None:
        raise RunLost
    return run


async def let_wait(session: AsyncSession, run: ChatRun) -> None:
    """Give a held run up while a person thinks about an approval; until taken it needs no lease.

    It survives a restart that way: nobody owns it, and no reaper ends it.
    """
    run.state, run.owner, run.lease_until = "waiting_approval", None, None
    await session.flush()


async def renew_runs(
    session: AsyncSession,
    run_ids: Collection[str],
    *,
    owner: str,
    lease_seconds: float = LEASE_SECONDS,
) -> dict[str, bool]:
    """Extend leases. What is still the owner's, and whether a person wants it to stop."""
    statement = (
        update(ChatRun)
        .where(ChatRun.id.in_(run_ids), _owned(owner))
        .values(lease_until=utc_now() + timedelta(seconds=lease_seconds))
        .returning(ChatRun.id, ChatRun.stop_requested_at)
    )
    rows = (await session.execute(statement)).all()
    return {run_id: stop is not None for run_id, stop in rows}


async def request_stop(session: AsyncSession, session_id: str) -> ChatRun | None:
    """Ask the session's active run to end; one that nobody makes ends here. None without a run."""
    run = await active_run(session, session_id, lock=True)
    if run is None:
        return None
    run.stop_requested_at = run.stop_requested_at or utc_now()
    if run.owner is None:
        await _leave_answer(session, run, "stopped")
        await _end(session, run, RunOutcome(state="stopped"))
    await session.flush()
    return run


async def finish_run(
    session: AsyncSession, run: ChatRun, outcome: RunOutcome, due: Sequence[Booking] = ()
) -> None:
    """Record how a held run ended, and in the ledger what is due; its answer is stored before."""
    run.model = outcome.model
    run.model_requests, run.tool_calls = outcome.model_requests, outcome.tool_calls
    run.input_tokens = outcome.usage.input_tokens
    run.output_tokens = outcome.usage.output_tokens
    run.cached_tokens = outcome.usage.cached_tokens
    run.cost_nanos = outcome.usage.cost_nanos
    await _end(session, run, outcome, due)


async def expired_runs(
    session: AsyncSession, *, now: datetime, alive: Collection[str] = ()
) -> Sequence[ChatRun]:
    """Runs whose lease has ended, as they are; none of those known to be alive."""
    return (await session.scalars(_expired(now, alive))).all()


async def reap_run(session: AsyncSession, run_id: str, *, now: datetime) -> ChatRun | None:
    """Mark a run, and what it was writing, as interrupted if its lease has ended."""
    query = _expired(now, ()).where(ChatRun.id == run_id)
    run = (await session.scalars(query.with_for_update(skip_locked=True))).one_or_none()
    if run is not None:
        await interrupt(session, run)
    return run


async def interrupt(session: AsyncSession, run: ChatRun) -> None:
    """End a locked run that nobody makes any more."""
    await _leave_answer(session, run, "interrupted")
    await _end(session, run, RunOutcome(state="interrupted", error="run_interrupted"))


async def _end(
    session: AsyncSession, run: ChatRun, outcome: RunOutcome, due: Sequence[Booking] = ()
) -> None:
    """What the run took stays as it was last stored."""
    run.state, run.lease_until, run.finished_at = outcome.state, None, utc_now()
    run.limit_hit, run.error = outcome.limit_hit, outcome.error
    await session.flush()
    ended = Booking(model=run.model or "", turns=1)
    await book(session, user_id=run.user_id, door="chat", bookings=[*due, ended])


async def _leave_answer(session: AsyncSession, run: ChatRun, status: MessageStatus) -> None:
    """Say of what an owner did not finish writing that it is not whole."""
    await session.execute(
        update(ChatMessage)
        .where(ChatMessage.run_id == run.id, ChatMessage.session_id == run.session_id)
        .where(ChatMessage.status == "partial")
        .values(status=status)
    )


async def _locked(session: AsyncSession, run_id: str, condition: ColumnElement[bool]) -> ChatRun:
    query = select(ChatRun).where(ChatRun.id == run_id, condition).with_for_update()
    run = (await session.scalars(query)).one_or_none()
    if run is None:
        raise RunLost
    return run


def _expired(now: datetime, alive: Collection[str]) -> Select[ChatRun]:
    query = select(ChatRun).where(
        ChatRun.state.in_(("queued", "running")), ChatRun.lease_until < now
    )
    return query.where(ChatRun.id.not_in(alive)) if alive else query


def _owned(owner: str) -> ColumnElement[bool]:
    return (ChatRun.owner == owner) & _is_active()


def _is_active() -> ColumnElement[bool]:
    return ChatRun.state.in_(ACTIVE_STATES)
