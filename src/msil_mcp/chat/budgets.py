"""What a user may take from the models in a day, through whichever door, and what is left of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.ledger import NANOS, ModelUsage
from msil_mcp.chat.turn_errors import BudgetSpent
from msil_mcp.db.database import Database, translated_errors, utc_now
from msil_mcp.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A user's day (UTC): what it allows, 0 being no limit, and what is used already.

    Money is in billionths of a US dollar.
    """

    user_id: str
    tokens: int
    cost_nanos: int
    used_tokens: int
    used_cost_nanos: int
    resets_at: datetime

    @property
    def left_tokens(self) -> int | None:
        """Tokens that are left; None without a limit."""
        return max(0, self.tokens - self.used_tokens) if self.tokens else None

    @property
    def left_cost_nanos(self) -> int | None:
        """Money that is left; None without a limit."""
        return max(0, self.cost_nanos - self.used_cost_nanos) if self.cost_nanos else None


async def budget_of(session: AsyncSession, settings: Settings, *, user_id: str) -> Budget:
    """How a user stands today."""
    today = utc_now().date()
    query = select(
        func.coalesce(func.sum(ModelUsage.input_tokens + ModelUsage.output_tokens), 0),
        func.coalesce(func.sum(ModelUsage.cost_nanos), 0),
    ).where(ModelUsage.user_id == user_id, ModelUsage.day == today)
    tokens, nanos = (await session.execute(query)).one()
    return Budget(
        user_id=user_id,
        tokens=settings.chat_daily_tokens,
        cost_nanos=round(settings.chat_daily_cost_usd * NANOS),
        used_tokens=int(tokens),
        used_cost_nanos=int(nanos),
        resets_at=datetime.combine(today + timedelta(days=1), time(), UTC),
    )


async def check_budget(database: Database, settings: Settings, *, user_id: str) -> None:
    """BudgetSpent when the user's day has taken what it allows; answers under way end as begun."""
    if not settings.chat_daily_tokens and not settings.chat_daily_cost_usd:
        return
    with translated_errors():
        async with database.reading() as session:
            budget = await budget_of(session, settings, user_id=user_id)
    wait = (budget.resets_at - utc_now()).total_seconds()
    if budget.left_tokens == 0:
        raise BudgetSpent(
            unit="tokens", spent=budget.used_tokens, budget=budget.tokens, retry_after=wait
        )
    if budget.left_cost_nanos == 0:
        raise BudgetSpent(
            unit="dollars",
            spent=budget.used_cost_nanos / NANOS,
            budget=budget.cost_nanos / NANOS,
            retry_after=wait,
        )
