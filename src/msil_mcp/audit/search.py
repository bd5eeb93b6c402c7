"""Finding records: by caller, tool, outcome, subject, correlation id and time; newest first."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.audit.records import AuditRecordRow, AuditSubjectRow
from msil_mcp.db.database import Database
from msil_mcp.errors import NotFound
from msil_mcp.pagination import decode_cursor, page_of

_Row = AuditRecordRow
_EXPORT_PAGE = 500


@dataclass(frozen=True, slots=True)
class Filters:
    """What to look for; every given condition must hold. `since` is inclusive, `until` is not.

    `subject` is the value of a subject key, such as a booking id; `subject_name` narrows the key.
    """

    principal_id: str | None = None
    tool: str | None = None
    bundle: str | None = None
    outcome: str | None = None
    kind: str | None = None
    action: str | None = None
    origin: str | None = None
    subject: str | None = None
    subject_name: str | None = None
    correlation_id: str | None = None
    session_id: str | None = None
    execution_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class RecordNotFound(NotFound):
    """No audit record has the id."""

    slug = "audit_record_not_found"
    title = "Audit record not found"

    def __init__(self, record_id: int) -> None:
        super().__init__(f"There is no audit record {record_id}; it may be past its retention.")


class AuditRecords:
    """Queries over kept records."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def matching(
        self, filters: Filters, *, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[AuditRecordRow], str | None]:
        """A page, newest first, and the cursor of the next."""
        rows = await self._session.scalars(_select(filters, cursor).limit(limit + 1))
        return page_of(rows.all(), limit=limit, key=_key)

    async def get(self, record_id: int) -> AuditRecordRow:
        """The record with the id, or RecordNotFound."""
        row = await self._session.get(_Row, record_id)
        if row is None:
            raise RecordNotFound(record_id)
        return row

    async def neighbours(
        self, row: AuditRecordRow
    ) -> tuple[AuditRecordRow | None, AuditRecordRow | None]:
        """The records before and after it in its chain."""
        found = await self._session.scalars(
            select(_Row).where(
                _Row.writer_id == row.writer_id,
                _Row.sequence.in_((row.sequence - 1, row.sequence + 1)),
            )
        )
        by_sequence = {other.sequence: other for other in found}
        return by_sequence.get(row.sequence - 1), by_sequence.get(row.sequence + 1)


async def stream_matching(
    database: Database, filters: Filters
) -> AsyncIterator[Sequence[AuditRecordRow]]:
    """Everything that matches, page by page, newest first; no transaction is held between."""
    cursor: str | None = None
    while True:
        async with database.reading() as session:
            rows, cursor = await AuditRecords(session).matching(
                filters, cursor=cursor, limit=_EXPORT_PAGE
            )
        if rows:
            yield rows
        if cursor is None:
            return


def _key(row: AuditRecordRow) -> tuple[str, int]:
    return row.at.isoformat(), row.id


def _select(filters: Filters, cursor: str | None) -> Select[AuditRecordRow]:
    query = select(_Row).order_by(_Row.at.desc(), _Row.id.desc())
    equal: dict[Any, str | None] = {
        _Row.principal_id: filters.principal_id,
        _Row.tool: filters.tool,
        _Row.bundle: filters.bundle,
        _Row.outcome: filters.outcome,
        _Row.kind: filters.kind,
        _Row.action: filters.action,
        _Row.origin: filters.origin,
        _Row.correlation_id: filters.correlation_id,
        _Row.session_id: filters.session_id,
        _Row.execution_id: filters.execution_id,
    }
    query = query.where(*(column == value for column, value in equal.items() if value is not None))
    if filters.outcome not in {None, "succeeded"}:
        # Said in the words of the partial index, so that both databases may use it.
        query = query.where(text("outcome <> 'succeeded'"))
    if filters.since is not None:
        query = query.where(_Row.at >= filters.since)
    if filters.until is not None:
        query = query.where(_Row.at < filters.until)
    if filters.subject is not None:
        query = query.where(_about(filters.subject, filters.subject_name))
    if cursor is not None:
        at, record_id = decode_cursor(cursor, tuple[datetime, int])
        query = query.where(tuple_(_Row.at, _Row.id) < tuple_(at, record_id))
    return query


def _about(value: str, name: str | None) -> Any:
    found = select(AuditSubjectRow.writer_id, AuditSubjectRow.sequence).where(
        and_(
            AuditSubjectRow.value == value,
            *([AuditSubjectRow.name == name] if name is not None else []),
        )
    )
    return tuple_(_Row.writer_id, _Row.sequence).in_(found)
