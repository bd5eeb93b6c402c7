"""/api/usage: what models took, and how a budget stands. `app.state`: `database`, `settings`."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from msil_mcp.chat.budgets import Budget, budget_of
from msil_mcp.chat.ledger import NANOS, Door, user_of
from msil_mcp.chat.usage import BadRange, By, Range, Usage, days, names_of, totals, usage_by
from msil_mcp.chat.views import Dollars
from msil_mcp.db.database import Database, database_of, translated_errors
from msil_mcp.pagination import Cursor, Day, Limit
from msil_mcp.principal import PermissionDenied, Principal, require
from msil_mcp.settings import Settings

router = APIRouter(prefix="/api/usage", tags=["usage"])
Caller = Annotated[Principal, Depends(require("profile:read"))]
Bys = Annotated[
    list[By], Query(min_length=1, max_length=4, description="What rows are apart by, in order.")
]


class AmountsView(BaseModel):
    """Cached tokens are among the input's; requests without a known price cost nothing here."""

    model_config = ConfigDict(from_attributes=True)

    turns: int
    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: Dollars
    unpriced_requests: int


class UsageRow(AmountsView):
    """One row; what it was not asked by is null, and so is the model where none answered."""

    day: date | None
    user_id: str | None
    user_name: str | None
    model: str | None
    door: Door | None


class TokensLeft(BaseModel):
    """A day's tokens; without a limit nothing is said of what is left."""

    limit: int | None
    used: int
    left: int | None


class MoneyLeft(BaseModel):
    """A day's US dollars; without a limit nothing is said of what is left."""

    limit: float | None
    used: float
    left: float | None


class BudgetView(BaseModel):
    """How a user's day (UTC) stands, over the chat and the OpenAI protocol together."""

    user_id: str
    tokens: TokensLeft
    cost_usd: MoneyLeft
    resets_at: datetime


class UsageView(BaseModel):
    """What models took from `first` to `last`; `user_id` is null where it is everybody's."""

    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    user_id: str | None
    by: list[By]
    totals: AmountsView
    items: list[UsageRow]
    next_cursor: str | None
    budget: BudgetView


def _wanted(
    principal: Caller,
    first: Annotated[Day | None, Query(alias="from", description="The first day (UTC).")] = None,
    last: Annotated[Day | None, Query(alias="to", description="The last day (UTC).")] = None,
    user: Annotated[
        str | None,
        Query(
            pattern=r"^[^\x00-\x1f]{1,500}$",
            description="Whose. Absent: everybody's for who has usage:read_all, else one's own.",
        ),
    ] = None,
    model: Annotated[str | None, Query(pattern=r"^[^\x00-\x1f]{0,200}$")] = None,
) -> Range:
    own = user_of(principal)
    if not principal.may("usage:read_all"):
        if user not in {None, own}:
            raise PermissionDenied("usage:read_all")
        user = own
    begin, end = days(first, last)
    return Range(first=begin, last=end, user_id=user, model=model)


@router.get("", responses={422: {"description": BadRange.title}})
async def read_usage(
    principal: Caller,
    request: Request,
    wanted: Annotated[Range, Depends(_wanted)],
    by: Bys = ["day"],  # noqa: B006 copied for each request
    limit: Limit = 50,
    cursor: Cursor = None,
) -> UsageView:
    """Turns, requests, tokens and cost by day, user, model or door, and the budget of today."""
    settings: Settings = request.app.state.settings
    return await usage_view(
        database_of(request),
        settings,
        wanted,
        list(dict.fromkeys(by)),
        budget_for=wanted.user_id or user_of(principal),
        limit=limit,
        cursor=cursor,
    )


async def usage_view(
    database: Database,
    settings: Settings,
    wanted: Range,
    by: list[By],
    *,
    budget_for: str,
    limit: int,
    cursor: str | None = None,
) -> UsageView:
    """A page of usage with its totals, and how the budget of a user stands."""
    with translated_errors():
        async with database.reading(may_lag=True) as session:
            rows, following = await usage_by(session, wanted, by, cursor=cursor, limit=limit)
            names = await names_of(session, [row.key["user"] for row in rows if "user" in row.key])
            everything = await totals(session, wanted)
        async with database.reading() as session:
            budget = await budget_of(session, settings, user_id=budget_for)
    return UsageView(
        first=wanted.first,
        last=wanted.last,
        user_id=wanted.user_id,
        by=by,
        totals=AmountsView.model_validate(everything),
        items=[_row(row, names) for row in rows],
        next_cursor=following,
        budget=_budget(budget),
    )


def _row(usage: Usage, names: Any) -> UsageRow:
    user_id = usage.key.get("user")
    return UsageRow.model_validate(
        {
            **usage.amounts,
            "day": usage.key.get("day"),
            "user_id": user_id,
            "user_name": names.get(user_id),
            "model": usage.key.get("model") or None,
            "door": usage.key.get("door"),
        }
    )


def _budget(budget: Budget) -> BudgetView:
    return BudgetView(
        user_id=budget.user_id,
        tokens=TokensLeft(
            limit=budget.tokens or None, used=budget.used_tokens, left=budget.left_tokens
        ),
        cost_usd=MoneyLeft(
            limit=_dollars(budget.cost_nanos or None),
            used=budget.used_cost_nanos / NANOS,
            left=_dollars(budget.left_cost_nanos),
        ),
        resets_at=budget.resets_at,
    )


def _dollars(nanos: int | None) -> float | None:
    return None if nanos is None else nanos / NANOS
