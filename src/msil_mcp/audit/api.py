"""/api/audit: search, one record with its place in the chain, verification, export.

`app.state`: `audit` (Audit) and `database`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from starlette.requests import Request

from msil_mcp.audit.errors import AlreadyVerifying
from msil_mcp.audit.export import MEDIA_TYPES, Format, export_records
from msil_mcp.audit.live import known_actions
from msil_mcp.audit.records import Kind, Origin, RecordOutcome
from msil_mcp.audit.search import AuditRecords, Filters, RecordNotFound, read_placed
from msil_mcp.audit.trail import Audit
from msil_mcp.audit.views import RecordDetail, RecordView, VerificationView, detail_of, view_of
from msil_mcp.db.database import translated_errors
from msil_mcp.pagination import BadCursor, Cursor, Limit, Moment, Page
from msil_mcp.principal import Principal, require
from msil_mcp.problems import problems

router = APIRouter(prefix="/api/audit", tags=["audit"])
Auditor = Annotated[Principal, Depends(require("audit:read"))]
Exporter = Annotated[Principal, Depends(require("audit:export"))]
NO_NUL: Final = r"^[^\x00]*$"
"""A file that is streamed must not find out on the way that a database cannot look for this."""
Text = Annotated[str | None, Query(max_length=256, pattern=NO_NUL)]


def _filters(
    principal_id: Text = None,
    who: Annotated[
        str | None, Query(max_length=256, description="A caller's id, or a part of its name.")
    ] = None,
    q: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Words that occur in what the record says. With this or `who`, a page "
            "looks for about a second: it may be short then, and its cursor goes on.",
        ),
    ] = None,
    tool: Text = None,
    bundle: Text = None,
    outcome: RecordOutcome | None = None,
    kind: Kind | None = None,
    action: Text = None,
    origin: Origin | None = None,
    rule: Text = None,
    error: Text = None,
    subject: Annotated[
        str | None,
        Query(
            max_length=256, pattern=NO_NUL, description="Value of a subject key, a booking id say."
        ),
    ] = None,
    subject_name: Text = None,
    correlation_id: Text = None,
    session_id: Text = None,
    execution_id: Text = None,
    since: Annotated[
        Moment | None, Query(description="From this time on; UTC without a zone.")
    ] = None,
    until: Annotated[
        Moment | None, Query(description="Before this time; UTC without a zone.")
    ] = None,
) -> Filters:
    return Filters(
        principal_id=principal_id,
        who=who,
        search=q,
        rule=rule,
        error=error,
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
        since=since,
        until=until,
    )


TYPES: Final = tuple(kind.partition(";")[0] for kind in MEDIA_TYPES.values())
FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A file, streamed",
        "content": {kind: {"schema": {"type": "string"}} for kind in TYPES},
    }
}
Wanted = Annotated[Filters, Depends(_filters)]


def audit_of(request: Request) -> Audit:
    """The application's trail."""
    audit: Audit = request.app.state.audit
    return audit


Trail = Annotated[Audit, Depends(audit_of)]


@router.get("", responses=problems(BadCursor))
async def search_records(
    _: Auditor, audit: Trail, wanted: Wanted, limit: Limit = 50, cursor: Cursor = None
) -> Page[RecordView]:
    """Records that match every given filter, newest first."""
    with translated_errors():
        async with audit.database.reading(may_lag=True) as session:
            rows, following = await AuditRecords(session).matching(
                wanted, cursor=cursor, limit=limit
            )
    return Page(items=[view_of(row) for row in rows], next_cursor=following)


@router.get("/actions")
async def list_actions(_: Auditor) -> list[str]:
    """Every action a record may be of, to choose from."""
    return sorted(known_actions())


@router.get("/export", response_class=StreamingResponse, responses=FILES)
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


@router.post("/verify", responses=problems(AlreadyVerifying))
async def verify_trail(_: Auditor, audit: Trail) -> VerificationView:
    """Check every chain, head and anchor; takes seconds for each million records."""
    with translated_errors():
        return VerificationView.model_validate(await audit.verify())


@router.get("/{record_id}", responses=problems(RecordNotFound))
async def read_record(_: Auditor, audit: Trail, record_id: int) -> RecordDetail:
    """One record, with its place in the chain."""
    with translated_errors():
        placed = await read_placed(audit.database, record_id)
    return detail_of(placed, intact=audit.holds(placed.row))


def _stream(audit: Audit, wanted: Filters, kind: Format) -> StreamingResponse:
    return StreamingResponse(
        export_records(audit.database, wanted, kind),
        media_type=MEDIA_TYPES[kind],
        headers={"Content-Disposition": f'attachment; filename="audit.{kind}"'},
    )


def _given(filters: Filters) -> Mapping[str, Any]:
    named = {name: getattr(filters, name) for name in Filters.__slots__}
    return {name: value for name, value in named.items() if value is not None}
