"""REST routes for people who approve: the inbox, one request, and the answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import Database, database_of, translated_errors
from msil_mcp.governance.approvals import (
    Approval,
    Approvals,
    ApprovalState,
    ApprovalUsed,
    SelfApproval,
    UnknownApproval,
    Via,
    may_answer,
    shown,
)
from msil_mcp.governance.inbox import Inbox, InboxFilters, exact_request
from msil_mcp.identity.names import names_of
from msil_mcp.locales.views import Told, answering
from msil_mcp.pagination import BadCursor, Cursor, Limit, Moment, Page, decode_cursor, page_of
from msil_mcp.principal import Principal, require
from msil_mcp.problems import problems
from msil_mcp.tools.call import Origin

router = APIRouter(prefix="/api/approvals", tags=["approvals"])

Self = Annotated[Principal, Depends(require("profile:read"))]


class Place(NamedTuple):
    """Where a page of the inbox ended."""

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: str


class ApprovalOut(BaseModel):
    """A request for agreement; arguments and URL are masked.

    `may_decide` says whether the caller's own answer would be taken now.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    state: ApprovalState = Field(validation_alias="standing")
    principal_id: str
    principal_name: str
    tool_name: str
    sentence: Told = Field(validation_alias="request")
    arguments: dict[str, Any]
    method: str
    url: str
    origin: Origin
    session_id: str | None
    run_id: str | None
    correlation_id: str
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    decided_by_name: str | None = None
    decided_via: Via | None
    reason: str | None
    execution_id: str | None
    may_decide: bool = False


class ExactRequestOut(BaseModel):
    """The HTTP request that would be sent, its personal data masked."""

    model_config = ConfigDict(from_attributes=True)

    method: str
    url: str
    content_type: str | None
    body: str | None


class ApprovalDetail(ApprovalOut):
    """A request for agreement with the exact HTTP request it stands for."""

    exact: ExactRequestOut


class ApprovalCounts(BaseModel):
    """How many requests there are in each state now, and since when the oldest waits."""

    pending: int
    approved: int
    declined: int
    consumed: int
    expired: int
    oldest_pending_at: datetime | None


class DecisionIn(BaseModel):
    """A person's answer."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "decline"]
    reason: str | None = Field(None, max_length=500)


def approvals_of(request: Request) -> Approvals:
    """The application's approvals."""
    approvals: Approvals = request.app.state.approvals
    return approvals


Store = Annotated[Approvals, Depends(approvals_of)]
Db = Annotated[Database, Depends(database_of)]


def _filters(
    state: Annotated[ApprovalState | None, Query(description="Only in this state.")] = None,
    tool: Annotated[str | None, Query(max_length=64)] = None,
    requester: Annotated[
        str | None, Query(pattern=r"^[^\x00-\x1f]{1,500}$", description="Id of who asked.")
    ] = None,
    origin: Origin | None = None,
    q: Annotated[
        str | None, Query(max_length=200, description="In what is asked, the tool or the name.")
    ] = None,
    since: Annotated[Moment | None, Query(description="Asked from this time on.")] = None,
    until: Annotated[Moment | None, Query(description="Asked before this time.")] = None,
) -> InboxFilters:
    return InboxFilters(
        state=state,
        tool=tool,
        requester=requester,
        origin=origin,
        search=q,
        since=since,
        until=until,
    )


Wanted = Annotated[InboxFilters, Depends(_filters)]


@router.get("", responses=problems(BadCursor))
async def list_approvals(
    principal: Self,
    database: Db,
    request: Request,
    response: Response,
    wanted: Wanted,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ApprovalOut]:
    """One's own requests, or everybody's with approvals:read; newest first."""
    before = decode_cursor(cursor, Place) if cursor else None
    context = answering(request, response)
    with translated_errors():
        async with database.reading() as session:
            inbox = Inbox(session, principal=principal)
            rows = await inbox.page(wanted, before=before, limit=limit)
            kept, following = page_of(rows, limit=limit, key=_place)
            items = await approval_lines(session, kept, principal=principal, context=context)
    return Page(items=items, next_cursor=following)


@router.get("/counts")
async def count_approvals(principal: Self, database: Db, wanted: Wanted) -> ApprovalCounts:
    """How many requests match in each state, whatever state is asked for."""
    with translated_errors():
        async with database.reading() as session:
            counted = await Inbox(session, principal=principal).count(wanted)
    states = {state: counted.states.get(state, 0) for state in get_args(ApprovalState)}
    return ApprovalCounts(**states, oldest_pending_at=counted.oldest_at)


@router.get("/{approval_id}", responses=problems(UnknownApproval))
async def get_approval(
    approval_id: str,
    principal: Self,
    approvals: Store,
    database: Db,
    request: Request,
    response: Response,
) -> ApprovalDetail:
    """One request with the exact masked HTTP request it stands for."""
    approval = await approvals.get(approval_id, principal=principal)
    context = answering(request, response)
    with translated_errors():
        async with database.reading() as session:
            [line] = await approval_lines(session, [approval], principal=principal, context=context)
            exact = ExactRequestOut.model_validate(await exact_request(session, approval))
    return ApprovalDetail(**_as_validated(line), exact=exact)


@router.post(
    "/{approval_id}/decision", responses=problems(UnknownApproval, ApprovalUsed, SelfApproval)
)
async def decide_approval(
    approval_id: str,
    decision: DecisionIn,
    principal: Self,
    approvals: Store,
    database: Db,
    request: Request,
    response: Response,
) -> ApprovalOut:
    """Approve or decline; who asked by key or token cannot answer itself."""
    approval = await approvals.decide(
        approval_id,
        principal=principal,
        accepted=decision.decision == "approve",
        via="rest",
        reason=decision.reason,
    )
    await record_decision(request, principal=principal, approval=approval)
    context = answering(request, response)
    with translated_errors():
        async with database.reading() as session:
            [line] = await approval_lines(session, [approval], principal=principal, context=context)
    return line


async def approval_lines(
    session: AsyncSession,
    rows: Sequence[Approval],
    *,
    principal: Principal,
    context: dict[str, Any] | None = None,
) -> list[ApprovalOut]:
    """Approvals as a caller sees them, with the names of who decided."""
    names = await names_of(session, {row.decided_by for row in rows if row.decided_by})
    return [
        ApprovalOut.model_validate(row, context=context).model_copy(
            update={
                "decided_by_name": names.get(row.decided_by or ""),
                "may_decide": may_answer(row, principal=principal),
            }
        )
        for row in rows
    ]


def _as_validated(line: ApprovalOut) -> dict[str, Any]:
    """By the names it is read from."""
    facts = line.model_dump()
    return facts | {"standing": facts["state"], "request": facts["sentence"]}


def _place(row: Approval) -> tuple[str, str]:
    return row.created_at.isoformat(), row.id


async def record_decision(request: Request, *, principal: Principal, approval: Approval) -> None:
    """Leave an audit record of the answer."""
    await request.app.state.admin_audit(
        principal=principal,
        action=f"approval.{approval.state}",
        target=approval.id,
        details=shown(approval),
        correlation_id=request.scope["state"]["correlation_id"],
    )
