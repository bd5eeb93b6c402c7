"""/api/analytics: what calls amounted to, from the trail and its summaries.

`app.state`: `database` and `snapshots`.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from msil_mcp.analytics import reports
from msil_mcp.analytics.ranges import TOOL_BUCKETS, AskedRange, BadRange, asked_range
from msil_mcp.analytics.summaries import summary_of
from msil_mcp.analytics.views import (
    CallerLine,
    CallLine,
    Overview,
    ToolAnalytics,
    ToolsInRange,
)
from msil_mcp.audit.records import AuditRecordRow, RecordOutcome
from msil_mcp.audit.search import AuditRecords, Filters
from msil_mcp.db.database import Database, database_of, translated_errors
from msil_mcp.governance.approvals import count_waiting
from msil_mcp.pagination import BadCursor, Cursor, Limit, Page
from msil_mcp.principal import Principal, require
from msil_mcp.problems import problems
from msil_mcp.tools.snapshot import SnapshotStore

router = APIRouter(prefix="/api/analytics", tags=["analytics"])
Reader = Annotated[Principal, Depends(require("analytics:read"))]
Asked = Annotated[AskedRange, Depends(asked_range)]
Db = Annotated[Database, Depends(database_of)]
ToolName = Annotated[str, Path(max_length=64)]
MOST_LINES: Final = 10
MOST_TOOLS: Final = 1_000
TOOL_CALL: Final = "tool.call"


@router.get("", responses=problems(BadRange))
async def read_overview(
    _: Reader,
    request: Request,
    database: Db,
    asked: Asked,
    top: Annotated[int, Query(ge=1, le=100, description="Tools and callers listed.")] = MOST_LINES,
) -> Overview:
    """Totals, speed, course over time, top tools and callers, errors and refusals."""
    looked = asked.in_buckets()
    with translated_errors():
        async with database.reading(may_lag=True) as session:
            summary = await summary_of(session, looked)
            pending = await count_waiting(session)
            callers = [
                CallerLine(id=caller, **counts, **await _naming(session, caller))
                for caller, counts in reports.callers_of(summary, most=top)
            ]
    return Overview(
        **reports.looked_at(looked),
        totals=reports.totals_of(summary),
        series=reports.series_of(summary, looked),
        top_tools=reports.tools_of(summary, title=_title(request), most=top),
        callers=callers,
        origins=reports.origins_of(summary),
        errors=reports.errors_of(summary),
        refusals=reports.refusals_of(summary),
        approvals_pending=pending,
    )


@router.get("/tools", responses=problems(BadRange))
async def read_tools(_: Reader, request: Request, database: Db, asked: Asked) -> ToolsInRange:
    """Every tool that was called, the most called first."""
    looked = asked.in_buckets()
    with translated_errors():
        async with database.reading(may_lag=True) as session:
            summary = await summary_of(session, looked)
    lines = reports.tools_of(summary, title=_title(request), most=MOST_TOOLS)
    return ToolsInRange(**reports.looked_at(looked), tools=lines)


@router.get("/tools/{name}", responses=problems(BadRange))
async def read_tool(_: Reader, database: Db, asked: Asked, name: ToolName) -> ToolAnalytics:
    """What one tool's calls amounted to; of a name nobody called, nothing."""
    looked = asked.in_buckets(TOOL_BUCKETS)
    with translated_errors():
        async with database.reading(may_lag=True) as session:
            summary = await summary_of(session, looked, tool=name)
            last, _following = await AuditRecords(session).matching(
                Filters(tool=name, kind=TOOL_CALL), limit=1
            )
    return ToolAnalytics(
        **reports.looked_at(looked),
        tool=name,
        totals=reports.totals_of(summary),
        series=reports.series_of(summary, looked),
        errors=reports.errors_of(summary),
        refusals=reports.refusals_of(summary),
        last_called_at=last[0].at if last else None,
    )


@router.get("/tools/{name}/calls", responses=problems(BadCursor))
async def read_tool_calls(
    _: Reader,
    database: Db,
    name: ToolName,
    outcome: RecordOutcome | None = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[CallLine]:
    """A tool's calls, the newest first, without what was in them."""
    wanted = Filters(tool=name, kind=TOOL_CALL, outcome=outcome)
    with translated_errors():
        async with database.reading(may_lag=True) as session:
            rows, following = await AuditRecords(session).matching(
                wanted, cursor=cursor, limit=limit
            )
    return Page(items=[CallLine.model_validate(row) for row in rows], next_cursor=following)


def _title(request: Request) -> reports.Title:
    snapshots: SnapshotStore = request.app.state.snapshots
    tools = snapshots.current().tools

    def title(name: str) -> str | None:
        tool = tools.get(name)
        return tool.definition.title if tool else None

    return title


async def _naming(session: AsyncSession, caller: str) -> dict[str, str | None]:
    row = AuditRecordRow
    query = (
        select(row.principal_name, row.principal_kind)
        .where(row.principal_id == caller)
        .order_by(row.at.desc())
        .limit(1)
    )
    found = (await session.execute(query)).first()
    return {"name": None, "kind": None} if found is None else {"name": found[0], "kind": found[1]}
