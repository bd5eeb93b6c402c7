"""/api/audit: search, one record with its place in the chain, verification, export.

`app.state`: `audit` (Audit) and `database`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from starlette.requests import Request

from msil_mcp.audit.errors import AlreadyVerifying
from msil_mcp.audit.export import MEDIA_TYPES, Format, export_records
from msil_mcp.audit.search import AuditRecords, Filters, RecordNotFound
from msil_mcp.audit.trail import Audit
from msil_mcp.audit.views import RecordDetail, RecordView, VerificationView, detail_of, view_of
from msil_mcp.db.database import translated_errors
from msil_mcp.errors import MsilError
from msil_mcp.pagination import Cursor, Limit, Page
from msil_mcp.principal import Principal, require

router = APIRouter(prefix="/api/audit", tags=["audit"])
Auditor = Annotated[Principal, Depends(require("audit:read"))]
Exporter = Annotated[Principal, Depends(require("audit:export"))]
Text = Annotated[str | None, Query(max_length=256)]


def _filters(
    principal_id: Text = None,
    tool: Text = None,
    bundle: Text = None,
    outcome: Text = None,
    kind: Text = None,
    action: Text = None,
    origin: Text = None,
    subject: Annotated[
        str | None, Query(max_length=256, description="Value of a subject key, a booking id say.")
    ] = None,
    subject_name: Text = None,
    correlation_id: Text = None,
    session_id: Text = None,
    execution_id: Text = None,
    since: Annotated[
        datetime | None, Query(description="From this time on; UTC without a zone.")
    ] = None,
    until: Annotated[
        datetime | None, Query(description="Before this time; UTC without a zone.")
    ] = None,
) -> Filters:
    return Filters(
        principal_id=principal_id,
        tool=tool,
        bundle=bundle,
        outcome=outcome,
        kind=kind,
        action=action,
        origin=origin,
        subject=subject,
        subject_name=subject_name,
        correlation_id=correlation_id,
        session_id=session_id,
        execution_id=execution_id,
        since=_zoned(since),
        until=_zoned(until),
    )


Wanted = Annotated[Filters, Depends(_filters)]


def audit_of(request: Request) -> Audit:
    """The application's trail."""
    audit: Audit = request.app.state.audit
    return audit


Trail = Annotated[Audit, Depends(audit_of)]


def _responses(*errors: type[MsilError]) -> dict[int | str, dict[str, Any]]:
    return {error.status: {"description": error.title} for error in errors}


@router.get("")
async def search_records(
    _: Auditor, audit: Trail, wanted: Wanted, limit: Limit = 50, cursor: Cursor = None
) -> Page[RecordView]:
    """Records that match every given filter, newest first."""
    with translated_errors():
        async with audit.database.reading() as session:
            rows, following = await AuditRecords(session).matching(
                wanted, cursor=cursor, limit=limit
            )
    return Page(items=[view_of(row) for row in rows], next_cursor=following)


@router.get("/export")
async def export(
    request: Request,
    principal: Exporter,
    audit: Trail,
    wanted: Wanted,
    format: Annotated[Literal["jsonl", "csv"], Query()] = "jsonl",  # noqa: A002 the parameter's name
) -> StreamingResponse:
    """Every record that matches, as JSON lines or CSV; that it was exported is recorded too."""
    await audit.record_admin(
        principal=principal,
        action="audit.export",
        target="audit",
        details={"format": format, "filters": _given(wanted)},
        correlation_id=request.scope.get("state", {}).get("correlation_id"),
    )
    return _stream(audit, wanted, format)


@router.post("/verify", responses=_responses(AlreadyVerifying))
async def verify_trail(_: Auditor, audit: Trail) -> VerificationView:
    """Check every chain, head and anchor; takes seconds for each million records."""
    with translated_errors():
        return VerificationView.model_validate(await audit.verify())


@router.get("/{record_id}", responses=_responses(RecordNotFound))
async def read_record(_: Auditor, audit: Trail, record_id: int) -> RecordDetail:
    """One record, with its place in the chain."""
    with translated_errors():
        async with audit.database.reading() as session:
            records = AuditRecords(session)
            row = await records.get(record_id)
            before, after = await records.neighbours(row)
    return detail_of(row, before, after, intact=audit.holds(row))


def _stream(audit: Audit, wanted: Filters, kind: Format) -> StreamingResponse:
    return StreamingResponse(
        export_records(audit.database, wanted, kind),
        media_type=MEDIA_TYPES[kind],
        headers={"Content-Disposition": f'attachment; filename="audit.{kind}"'},
    )


def _zoned(at: datetime | None) -> datetime | None:
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


def _given(filters: Filters) -> Mapping[str, Any]:
    named = {name: getattr(filters, name) for name in Filters.__slots__}
    return {name: value for name, value in named.items() if value is not None}
