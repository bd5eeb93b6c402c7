"""Finding records: by caller, tool, outcome, subject, correlation id and time; newest first."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from sqlalchemy import ColumnElement, Select, and_, or_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.audit.records import AuditChainRow, AuditRecordRow, AuditSubjectRow
from msil_mcp.db.database import Database
from msil_mcp.errors import NotFound
from msil_mcp.pagination import decode_cursor, encode_cursor, page_of

_Row = AuditRecordRow
_At = Annotated[datetime, msgspec.Meta(tz=True)]
_EXPORT_PAGE = 500
SCANNED: Final = 50_000
"""How many records are looked through for words at a time."""
PATIENCE_SECONDS: Final = 1.0
"""How long a page goes on looking until it is full; after that its cursor does."""
_SAID: Final = (
    _Row.principal_name, _Row.tool, _Row.action, _Row.target, _Row.error, _Row.subjects,
    _Row.arguments, _Row.details, _Row.result,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filters:
    """What to look for; every given condition must hold. `since` is inclusive, `until` is not.

    `subject` is the value of a subject key, such as a booking id; `subject_name` narrows the key.
    `who` is a caller's id or a part of its name. Each word of `search` must occur somewhere in what
    the record says. Both read records one by one.
    """

    principal_id: str | None = None
    who: str | None = None
    search: str | None = None
    rule: str | None = None
    error: str | None = None
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

    @property
    def reads_each(self) -> bool:
        """Whether records have to be read to know whether they match."""
        return bool(self.who or self.search)


class RecordNotFound(NotFound):
    """No audit record has the id."""

    slug = "audit_record_not_found"

    def __init__(self, record_id: int) -> None:
        super().__init__(record_id=record_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A record, those beside it in its chain, and what the chain says of its own ends."""

    row: AuditRecordRow
    previous: AuditRecordRow | None
    next: AuditRecordRow | None
    chain: AuditChainRow | None

    @property
    def follows(self) -> bool:
        """Whether it follows the record before it, or the chain begins with it."""
        if self.previous is not None:
            return self.previous.hash == self.row.prev_hash
        begins = self.chain is not None and self.chain.base_sequence == self.row.sequence - 1
        return begins and self.chain is not None and self.chain.base_hash == self.row.prev_hash

    @property
    def is_followed(self) -> bool:
        """Whether the next record follows it, or the chain ends with it."""
        if self.next is not None:
            return self.next.prev_hash == self.row.hash
        ends = self.chain is not None and self.chain.last_sequence == self.row.sequence
        return ends and self.chain is not None and self.chain.head_hash == self.row.hash


class AuditRecords:
    """Queries over kept records."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def matching(
        self, filters: Filters, *, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[AuditRecordRow], str | None]:
        """A page, newest first, and the cursor of the next; it is full, the last, or late."""
        found: list[AuditRecordRow] = []
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            rows, cursor = await self._window(filters, cursor=cursor, limit=limit - len(found))
            found += rows
            if cursor is None or len(found) == limit or time.monotonic() >= until:
                return found, cursor

    async def _window(
        self, filters: Filters, *, cursor: str | None, limit: int
    ) -> tuple[list[AuditRecordRow], str | None]:
        """What is found in one go, and where to go on."""
        query = _ordered(_select(filters, cursor))
        end = await self._end_of_scan(filters, cursor) if filters.reads_each else None
        if end is not None:
            query = query.where(tuple_(_Row.at, _Row.id) >= tuple_(*end))
        query = query.where(*self._words(filters))
        rows = (await self._session.scalars(query.limit(limit + 1))).all()
        if end is not None and len(rows) <= limit:
            # The page is not full, and there is more to look through.
            return list(rows), encode_cursor(end[0].isoformat(), end[1])
        return page_of(rows, limit=limit, key=_key)

    async def _end_of_scan(
        self, filters: Filters, cursor: str | None
    ) -> tuple[datetime, int] | None:
        """The last record that a page looks through, if there is one behind it."""
        query = _ordered(_select(filters, cursor)).with_only_columns(_Row.at, _Row.id)
        found = (await self._session.execute(query.offset(SCANNED - 1).limit(2))).all()
        return (found[0][0], found[0][1]) if len(found) == 2 else None

    def _words(self, filters: Filters) -> list[ColumnElement[bool]]:
        """What must be said in a record."""
        who, words = _plain(filters.who or ""), _plain(filters.search or "").split()
        found: list[ColumnElement[bool]] = []
        if who:
            found.append(or_(_Row.principal_id == who, self._holds(_Row.principal_name, who)))
        found += [or_(*(self._holds(said, word) for said in _SAID)) for word in words]
        return found

    def _holds(self, column: Any, word: str) -> ColumnElement[bool]:
        # SQLite's LIKE knows no case as it is, and is quicker than with lower().
        sqlite = self._session.get_bind().dialect.name == "sqlite"
        look = column.contains if sqlite else column.icontains
        found: ColumnElement[bool] = look(word, autoescape=True)
        return found

    async def get(self, record_id: int) -> AuditRecordRow:
        """The record with the id, or RecordNotFound."""
        row = await self._session.get(_Row, record_id)
        if row is None:
            raise RecordNotFound(record_id)
        return row

    async def place(self, row: AuditRecordRow) -> Placed:
        """The record with those before and after it, and with its chain."""
        found = await self._session.scalars(
            select(_Row).where(
                _Row.writer_id == row.writer_id,
                _Row.sequence.in_((row.sequence - 1, row.sequence + 1)),
            )
        )
        by_sequence = {other.sequence: other for other in found}
        return Placed(
            row=row,
            previous=by_sequence.get(row.sequence - 1),
            next=by_sequence.get(row.sequence + 1),
            chain=await self._session.get(AuditChainRow, row.writer_id),
        )


async def read_placed(database: Database, record_id: int) -> Placed:
    """The record with its place in its chain; RecordNotFound.

    What watches live events asks for records that a replica may not have yet, so one that is
    missing there is looked for again where it was written.
    """
    for may_lag in (True, False):
        async with database.reading(may_lag=may_lag) as session:
            records = AuditRecords(session)
            try:
                row = await records.get(record_id)
            except RecordNotFound:
                continue
            return await records.place(row)
    raise RecordNotFound(record_id)


async def stream_matching(
    database: Database, filters: Filters
) -> AsyncIterator[Sequence[AuditRecordRow]]:
    """Everything that matches, page by page, newest first; no transaction is held between."""
    cursor: str | None = None
    while True:
        async with database.reading(may_lag=True) as session:
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
    query = select(_Row)
    equal: dict[Any, str | None] = {
        _Row.principal_id: filters.principal_id,
        _Row.rule: filters.rule,
        _Row.error: filters.error,
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
        at, record_id = decode_cursor(cursor, tuple[_At, int])
        query = query.where(tuple_(_Row.at, _Row.id) < tuple_(at, record_id))
    return query


def _ordered(query: Select[AuditRecordRow]) -> Select[AuditRecordRow]:
    return query.order_by(_Row.at.desc(), _Row.id.desc())


def _plain(text: str) -> str:
    """Without what no database can look for."""
    return text.replace("\x00", " ").strip()


def _about(value: str, name: str | None) -> Any:
    found = select(AuditSubjectRow.writer_id, AuditSubjectRow.sequence).where(
        and_(
            AuditSubjectRow.value == value,
            *([AuditSubjectRow.name == name] if name is not None else []),
        )
    )
    return tuple_(_Row.writer_id, _Row.sequence).in_(found)
