"""What happens to rows of the jobs table. Nothing here commits.

Time is the database's where replicas share one, so that no replica's clock takes another's lease.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    delete,
    func,
    literal,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import UtcDateTime, utc_now
from msil_mcp.jobs.models import UNFINISHED, Job

WAKE_TOPIC: Final = "jobs"
MAX_ATTEMPTS: Final = 8
_DEAD: Final = case((Job.state == "dead", 1))
LEASE_LOST: Final = "its process stopped while it ran"


@dataclass(frozen=True, slots=True)
class Claim:
    """A job this process may run until its lease ends."""

    id: int
    kind: str
    payload: Mapping[str, Any]
    attempts: int
    max_attempts: int
    interval_seconds: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one kind of jobs: how long the oldest due one has waited, and how many were given up."""

    overdue_seconds: float
    dead: int


def moment(session: AsyncSession, *, after: float = 0.0) -> ColumnElement[datetime]:
    """Now, or that many seconds from now."""
    later = timedelta(seconds=after)
    if session.get_bind().dialect.name == "sqlite":
        return literal(utc_now() + later, UtcDateTime())
    return type_coerce(func.clock_timestamp() + later, UtcDateTime())


async def enqueue(
    session: AsyncSession,
    kind: str,
    payload: Mapping[str, Any],
    *,
    run_at: datetime | None = None,
    key: str | None = None,
    max_attempts: int = MAX_ATTEMPTS,
    interval_seconds: float | None = None,
) -> int | None:
    """Add a job to the caller's transaction: it exists when that commits.

    Returns its id, or None when an unfinished job has the same key. A runner finds it at its next
    poll; after the commit, `announce` makes that now.
    """
    values = {
        "kind": kind,
        "key": key,
        "payload": payload,
        "state": "pending",
        "run_at": moment(session) if run_at is None else run_at,
        "attempts": 0,
        "max_attempts": max_attempts,
        "interval_seconds": interval_seconds,
        "created_at": moment(session),
    }
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = (
        insert(Job)
        .values(values)
        .on_conflict_do_nothing(index_elements=["key"], index_where=text(UNFINISHED))
        .returning(Job.id)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def set_interval(session: AsyncSession, kind: str, *, seconds: float) -> None:
    """Make sure of the one recurring job of a kind, and of how often it runs."""
    key = f"every:{kind}"
    await enqueue(session, kind, {}, key=key, interval_seconds=seconds)
    soonest = moment(session, after=seconds)
    await session.execute(
        update(Job)
        .where(Job.key == key, text(UNFINISHED), Job.interval_seconds != seconds)
        .values(
            interval_seconds=seconds,
            run_at=case((Job.run_at > soonest, soonest), else_=Job.run_at),
        )
    )


async def seconds_until_due(session: AsyncSession, kinds: Collection[str]) -> float | None:
    """How long until there is something to claim or to reap; None when nothing waits."""
    pending = select(func.min(Job.run_at, type_=UtcDateTime())).where(
        Job.state == "pending", Job.kind.in_(kinds)
    )
    running = select(func.min(Job.lease_until, type_=UtcDateTime())).where(Job.state == "running")
    query = select(pending.scalar_subquery(), running.scalar_subquery(), moment(session))
    *earliest, now = (await session.execute(query)).one()
    return min(((due - now).total_seconds() for due in earliest if due is not None), default=None)


async def unfinished(session: AsyncSession) -> Mapping[str, Standing]:
    """How the kinds of jobs stand that have any in the table which is not done."""
    now = moment(session)
    due = case((and_(Job.state == "pending", Job.run_at < now), Job.run_at))
    query = (
        select(Job.kind, func.min(due, type_=UtcDateTime()), func.count(_DEAD), now)
        .where(Job.state.in_(("pending", "running", "dead")))
        .group_by(Job.kind)
    )
    return {
        kind: Standing(
            overdue_seconds=0.0 if oldest is None else (at - oldest).total_seconds(), dead=dead
        )
        for kind, oldest, dead, at in await session.execute(query)
    }


async def reap(session: AsyncSession) -> int:
    """Take jobs from owners that stopped renewing; those begun too often are dead.

    A job whose row is locked is just being renewed or settled after all.
    """
    now = moment(session)
    spent = and_(Job.attempts >= Job.max_attempts, Job.interval_seconds.is_(None))
    late = select(Job.id).where(Job.state == "running", Job.lease_until < now)
    statement = (
        update(Job)
        .where(Job.id.in_(late.with_for_update(skip_locked=True)))
        .values(
            state=case((spent, "dead"), else_="pending"),
            finished_at=case((spent, now), else_=None),
            run_at=now,
            lease_owner=None,
            lease_until=None,
            last_error=LEASE_LOST,
        )
        .returning(Job.id)
    )
    return len((await session.execute(statement)).all())


async def claim(
    session: AsyncSession, kinds: Collection[str], *, owner: str, lease_seconds: float, limit: int
) -> Sequence[Claim]:
    """Lease up to `limit` due jobs, oldest first; rows another process is claiming are skipped."""
    due = (
        select(Job.id)
        .where(Job.state == "pending", Job.run_at <= moment(session), Job.kind.in_(kinds))
        .order_by(Job.run_at, Job.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = (await session.scalars(due)).all()
    if not ids:
        return ()
    statement = (
        update(Job)
        .where(Job.id.in_(ids))
        .values(
            state="running",
            attempts=Job.attempts + 1,
            lease_owner=owner,
            lease_until=moment(session, after=lease_seconds),
        )
        .returning(
            Job.id, Job.kind, Job.payload, Job.attempts, Job.max_attempts, Job.interval_seconds
        )
    )
    rows = (await session.execute(statement)).all()
    return sorted((Claim(*row) for row in rows), key=lambda claimed: ids.index(claimed.id))


async def renew(
    session: AsyncSession, ids: Collection[int], *, owner: str, lease_seconds: float
) -> set[int]:
    """Extend leases; returns those that are still the owner's."""
    statement = (
        update(Job)
        .where(Job.id.in_(ids), Job.state == "running", Job.lease_owner == owner)
        .values(lease_until=moment(session, after=lease_seconds))
        .returning(Job.id)
    )
    return set((await session.scalars(statement)).all())


async def settle(
    session: AsyncSession, claimed: Claim, *, owner: str, error: str | None, after: float | None
) -> bool:
    """Record how a run ended; False when the lease was lost and the record is another's to make.

    `after` seconds it runs again; None means never: done, or dead when there is an error.
    """
    values: dict[str, Any] = {"lease_owner": None, "lease_until": None, "last_error": error}
    if after is not None:
        values |= {"state": "pending", "run_at": moment(session, after=after)}
        if error is None or after == claimed.interval_seconds:
            values["attempts"] = 0
    else:
        values |= {
            "state": "done" if error is None else "dead",
            "finished_at": moment(session),
        }
    statement = update(Job).where(*_held(claimed, owner)).values(values).returning(Job.id)
    return (await session.execute(statement)).first() is not None


async def release(session: AsyncSession, claimed: Claim, *, owner: str) -> None:
    """Give a job back unfinished, as if it had not been begun."""
    await session.execute(
        update(Job)
        .where(*_held(claimed, owner))
        .values(
            state="pending",
            run_at=moment(session),
            attempts=Job.attempts - 1,
            lease_owner=None,
            lease_until=None,
        )
    )


def _held(claimed: Claim, owner: str) -> tuple[ColumnElement[bool], ...]:
    return (
        Job.id == claimed.id,
        Job.state == "running",
        Job.lease_owner == owner,
        Job.attempts == claimed.attempts,
    )


async def delete_finished(session: AsyncSession, *, older_than_seconds: float) -> None:
    """Forget jobs that were done long ago; dead ones stay until somebody looks at them."""
    limit = moment(session, after=-older_than_seconds)
    await session.execute(delete(Job).where(Job.state == "done", Job.finished_at < limit))
