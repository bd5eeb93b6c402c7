"""How much a turn may take, and how much a caller may in a day."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from sqlalchemy import func, select

from msil_mcp.chat.messages import Usage
from msil_mcp.chat.models import ChatRun, ChatSession
from msil_mcp.chat.turn_errors import BudgetSpent
from msil_mcp.chat.views import NANOS
from msil_mcp.db.database import Database, translated_errors, utc_now
from msil_mcp.llm.usage import Cost, TokenUsage
from msil_mcp.settings import Settings

LimitName = Literal["tool_calls", "model_requests", "tokens", "cost", "seconds"]


class TurnLimitHit(Exception):
    """A turn has used up what it may; the sentence is for the person."""

    def __init__(self, name: LimitName, allowed: str) -> None:
        self.name: LimitName = name
        super().__init__(
            f"I stopped here: this turn reached its limit of {allowed}. Send another message to "
            "go on from here."
        )


@dataclass(slots=True)
class Meter:
    """What a turn has taken so far, and the limits it is held to."""

    settings: Settings
    model_requests: int = 0
    tool_calls: int = 0
    tokens: TokenUsage = field(default_factory=TokenUsage)
    cost_nanos: int = 0
    model: str | None = None

    def before_request(self) -> None:
        """Count a model request; TurnLimitHit when there may be no other."""
        limits = self.settings
        if self.model_requests >= limits.chat_turn_model_requests:
            allowed = f"{limits.chat_turn_model_requests} model requests"
            raise TurnLimitHit("model_requests", allowed)
        if self.tokens.total >= limits.chat_turn_tokens:
            raise TurnLimitHit("tokens", f"{limits.chat_turn_tokens:,} tokens")
        if 0 < limits.chat_turn_cost_usd * NANOS <= self.cost_nanos:
            raise TurnLimitHit("cost", f"${limits.chat_turn_cost_usd:g}")
        self.model_requests += 1

    def answered(self, *, model: str, usage: TokenUsage, cost: Cost) -> None:
        """A model request has taken this; what has no known price counts as nothing."""
        self.model = model
        self.tokens = self.tokens + usage
        self.cost_nanos += int((cost.usd or Decimal(0)) * NANOS)

    def before_calls(self, count: int) -> None:
        """Count tool calls; TurnLimitHit when these would be too many."""
        if self.tool_calls + count > self.settings.chat_turn_tool_calls:
            allowed = f"{self.settings.chat_turn_tool_calls} tool calls"
            raise TurnLimitHit("tool_calls", allowed)
        self.tool_calls += count

    @property
    def out_of_time(self) -> TurnLimitHit:
        """The limit of seconds."""
        return TurnLimitHit("seconds", f"{self.settings.chat_turn_seconds:g} seconds")

    @property
    def usage(self) -> Usage:
        """The same, as it is stored."""
        return Usage(
            input_tokens=self.tokens.prompt,
            output_tokens=self.tokens.completion,
            cached_tokens=self.tokens.cached,
            cost_nanos=self.cost_nanos,
        )


async def check_budget(database: Database, settings: Settings, *, principal_id: str) -> None:
    """BudgetSpent when the caller's runs since midnight (UTC) have taken what a day allows."""
    tokens, dollars = settings.chat_daily_tokens, settings.chat_daily_cost_usd
    if not tokens and not dollars:
        return
    midnight = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
    used, nanos = await spent_since(database, midnight, principal_id=principal_id)
    wait = (midnight + timedelta(days=1) - utc_now()).total_seconds()
    if tokens and used >= tokens:
        raise BudgetSpent(what="tokens", spent=f"{used:,}", budget=f"{tokens:,}", retry_after=wait)
    if dollars and nanos >= dollars * NANOS:
        spent = f"{nanos / NANOS:.2f}"
        raise BudgetSpent(what="US dollars", spent=spent, budget=f"{dollars:.2f}", retry_after=wait)


async def spent_since(database: Database, since: datetime, *, principal_id: str) -> tuple[int, int]:
    """Tokens and billionths of a dollar; deleting a conversation gives nothing back."""
    query = (
        select(
            func.coalesce(func.sum(ChatRun.input_tokens + ChatRun.output_tokens), 0),
            func.coalesce(func.sum(ChatRun.cost_nanos), 0),
        )
        .join(ChatSession, ChatSession.id == ChatRun.session_id)
        .where(ChatSession.owner_id == principal_id, ChatSession.active_at >= since)
        .where(ChatRun.created_at >= since)
    )
    with translated_errors():
        async with database.reading() as session:
            tokens, nanos = (await session.execute(query)).one()
    return int(tokens), int(nanos)
