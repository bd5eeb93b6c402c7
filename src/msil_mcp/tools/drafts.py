"""Imports that somebody is looking at: the document, how it is to be imported, and the plan.

A draft is read by a job, so that a large document holds up nobody, and is gone after a day.
"""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import JSON, Index, LargeBinary, String, Text, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, defer, mapped_column

from msil_mcp.db.database import Base, UtcDateTime, utc_now
from msil_mcp.errors import Conflict, NotFound, Unprocessable

KEPT: Final = timedelta(days=1)
DraftState = Literal["reading", "ready", "failed", "imported"]
Stage = Literal["waiting", "fetching", "reading", "comparing", "done"]


class ImportDraft(Base):
    """A document that may be imported.

    `plan` is JSON once it is ready, `error` a problem once reading failed. `reading` counts how
    often the options changed, so that a job of earlier options cannot overwrite a later plan.
    """

    __tablename__ = "import_drafts"
    __table_args__ = (Index(None, "expires_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[DraftState] = mapped_column(String(10), default="reading")
    stage: Mapped[Stage] = mapped_column(String(10), default="waiting")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    reading: Mapped[int] = mapped_column(default=1)
    source: Mapped[str] = mapped_column(Text)
    options: Mapped[Mapping[str, Any]] = mapped_column(JSON)
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    signature: Mapped[str | None] = mapped_column(String(64))
    plan: Mapped[str | None] = mapped_column(Text)
    error: Mapped[Mapping[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_by: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class NoSuchDraft(NotFound):
    """No such draft, or it is past its time."""

    slug = "no_such_draft"


class DraftNotReady(Conflict):
    """The draft is still being read, cannot be imported, or was imported already."""

    slug = "draft_not_ready"

    def __init__(self, state: DraftState) -> None:
        super().__init__(case=state)


class DraftOutdated(Conflict):
    """The catalogue is not as it was when the plan was made."""

    slug = "draft_outdated"


class UnknownOperations(Unprocessable):
    """A selection names what the document does not have."""

    slug = "unknown_operations"

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(names=", ".join(sorted(names)[:5]))


def new_draft(
    *, source: str, options: Mapping[str, Any], raw: bytes | None, by: str
) -> ImportDraft:
    """A draft to be read; without bytes they are fetched from the source."""
    now = utc_now()
    return ImportDraft(
        id=f"dr_{secrets.token_hex(12)}",
        state="reading",
        stage="waiting",
        done=0,
        total=0,
        reading=1,
        source=source,
        options=dict(options),
        raw=raw,
        created_by=by,
        created_at=now,
        expires_at=now + KEPT,
    )


async def find_draft(
    session: AsyncSession, draft_id: str, *, with_raw: bool = False, for_update: bool = False
) -> ImportDraft:
    """The draft, its document only where it is needed; NoSuchDraft."""
    query = select(ImportDraft).where(
        ImportDraft.id == draft_id, ImportDraft.expires_at > utc_now()
    )
    if not with_raw:
        query = query.options(defer(ImportDraft.raw))
    if for_update:
        query = query.with_for_update()
    draft = await session.scalar(query)
    if draft is None:
        raise NoSuchDraft
    return draft


async def forget_drafts(session: AsyncSession) -> None:
    """Drop the drafts that are past their time."""
    await session.execute(delete(ImportDraft).where(ImportDraft.expires_at <= utc_now()))
