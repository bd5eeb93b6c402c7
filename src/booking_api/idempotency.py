"""Idempotency keys: one key stands for one booking, for as long as the database lives.

The key is claimed in the same transaction that makes the booking. A duplicate that arrives while
the first is under way waits for it in the database (PostgreSQL: for the unique key; SQLite: for
the write lock) and then gets its answer. A booking that was refused leaves no key behind, so the
same request may be tried again.
"""

import hashlib
import json
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from booking_api.database import insert_if_absent
from booking_api.errors import DatabaseBusy, IdempotencyKeyReused
from booking_api.models import IdempotencyRecord


def fingerprint(body: BaseModel) -> str:
    """The same for two requests that mean the same: taken after numbers and plates are cleaned."""
    canonical = json.dumps(body.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


async def claim(session: AsyncSession, *, key: str, body: BaseModel, now: datetime) -> str | None:
    """Take the key for this transaction, or return the answer it already stands for.

    Raises:
        IdempotencyKeyReused: The key stands for a request with other details.
    """
    mark = fingerprint(body)
    taken = await session.scalar(
        insert_if_absent(session, IdempotencyRecord)
        .values(key=key, fingerprint=mark, created_at=now)
        .returning(IdempotencyRecord.key)
    )
    if taken:
        return None
    record = await session.get(IdempotencyRecord, key)
    if record is None or record.answer is None:
        # Only a key that was deleted by hand in this very moment comes here.
        raise DatabaseBusy
    if record.fingerprint != mark:
        raise IdempotencyKeyReused
    return record.answer


async def remember(session: AsyncSession, *, key: str, answer: str) -> None:
    """Store the answer that repetitions of a claimed key get."""
    await session.execute(
        update(IdempotencyRecord).where(IdempotencyRecord.key == key).values(answer=answer)
    )
