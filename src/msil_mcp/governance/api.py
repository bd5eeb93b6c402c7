"""REST routes for people who approve: the inbox, one request, and the answer."""

from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from msil_mcp.governance.approvals import Approval, Approvals, ApprovalState, shown
from msil_mcp.pagination import Cursor, Limit, Page, decode_cursor, page_of
from msil_mcp.principal import Principal, require

router = APIRouter(prefix="/api/approvals", tags=["approvals"])

Self = Annotated[Principal, Depends(require("profile:read"))]


class Place(NamedTuple):
    """Where a page of the inbox ended."""

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: str


class ApprovalOut(BaseModel):
    """A request for agreement; arguments and URL are masked."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    state: ApprovalState = Field(validation_alias="standing")
    principal_id: str
    principal_name: str
    tool_name: str
    sentence: str
    arguments: dict[str, Any]
    method: str
    url: str
    origin: str
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    decided_via: str | None
    reason: str | None
    execution_id: str | None


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


@router.get("")
async def list_approvals(
    principal: Self,
    approvals: Store,
    state: Annotated[ApprovalState | None, Query(description="Only in this state.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ApprovalOut]:
    """One's own requests, or everybody's with approvals:read; newest first."""
    before = decode_cursor(cursor, Place) if cursor else None
    rows = await approvals.inbox(principal=principal, state=state, before=before, limit=limit)
    kept, following = page_of(rows, limit=limit, key=_place)
    items = [ApprovalOut.model_validate(row) for row in kept]
    return Page(items=items, next_cursor=following)


def _place(row: Approval) -> tuple[str, str]:
    return row.created_at.isoformat(), row.id


@router.get("/{approval_id}")
async def get_approval(approval_id: str, principal: Self, approvals: Store) -> ApprovalOut:
    """One request with the exact masked HTTP request it stands for."""
    return ApprovalOut.model_validate(await approvals.get(approval_id, principal=principal))


@router.post("/{approval_id}/decision")
async def decide_approval(
    approval_id: str, decision: DecisionIn, principal: Self, approvals: Store, request: Request
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
    return ApprovalOut.model_validate(approval)


async def record_decision(request: Request, *, principal: Principal, approval: Approval) -> None:
    """Leave an audit record of the answer."""
    await request.app.state.admin_audit(
        principal=principal,
        action=f"approval.{approval.state}",
        target=approval.id,
        details=shown(approval),
        correlation_id=request.scope["state"]["correlation_id"],
    )
