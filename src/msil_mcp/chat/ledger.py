"""The ledger of what models took, by day, user, model and door: budgets and views of usage read it.

It is written in the transaction that stores the answer, so that it equals the answers it is made
of, and it outlives them: deleting a conversation gives nothing back.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal

from sqlalchemy import BigInteger, CheckConstraint, Date, Index, Integer, String
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.db.database import Base, utc_now
from msil_mcp.llm.usage import Cost, TokenUsage
from msil_mcp.principal import Principal

Door = Literal["chat", "openai"]
NANOS: Final = 1_000_000_000
NOTHING: Final = TokenUsage()


class ModelUsage(Base):
    """What the models took for one user through one door on one day (UTC); only ever added to.

    `turns` are answers that ended, with the model that answered last; `model` is a configured
    name, and empty for an answer that no model gave. Costs are in billionths of a US dollar;
    requests without a known price count as nothing there, and are counted in
    `unpriced_requests`.
    """

    __tablename__ = "model_usage"
    __table_args__ = (
        CheckConstraint("door IN ('chat', 'openai')", name="door"),
        Index(None, "user_id", "day"),
    )

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    user_id: Mapped[str] = mapped_column(String(500), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    door: Mapped[Door] = mapped_column(String(10), primary_key=True)
    turns: Mapped[int] = mapped_column(Integer, default=0)
    requests: Mapped[int] = mapped_column(Integer, default=0)
    input_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cached_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    output_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cost_nanos: Mapped[int] = mapped_column(BigInteger, default=0)
    unpriced_requests: Mapped[int] = mapped_column(Integer, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One entry to be added to the ledger."""

    model: str
    turns: int = 0
    requests: int = 0
    tokens: TokenUsage = NOTHING
    cost_nanos: int = 0
    unpriced_requests: int = 0

    @property
    def amounts(self) -> dict[str, int]:
        """What is added to each column."""
        return {
            "turns": self.turns,
            "requests": self.requests,
            "input_tokens": self.tokens.prompt,
            "cached_tokens": self.tokens.cached,
            "output_tokens": self.tokens.completion,
            "cost_nanos": self.cost_nanos,
            "unpriced_requests": self.unpriced_requests,
        }


@dataclass(slots=True)
class Bill:
    """What models take for one answer; `due` is what of it the ledger does not hold yet."""

    due: list[Booking] = field(default_factory=list)

    def ask(self, model: str) -> None:
        """A model is asked; that counts whether or not it answers."""
        self.due.append(Booking(model=model, requests=1))

    def answered(self, *, model: str, tokens: TokenUsage, cost: Cost) -> None:
        """It answered, or a fallback in its place, which is what the tokens are charged to."""
        self.due.append(
            Booking(
                model=model,
                tokens=tokens,
                cost_nanos=in_nanos(cost),
                unpriced_requests=0 if cost.is_known else 1,
            )
        )

    def booked(self, count: int) -> None:
        """The first so many of what is due are in the ledger now."""
        del self.due[:count]


def user_of(principal: Principal) -> str:
    """Whose budget a caller draws on: the user a key belongs to, else the caller."""
    if principal.kind == "key":
        return principal.attributes.get("owner", principal.id)
    return principal.id


def in_nanos(cost: Cost) -> int:
    """Billionths of a dollar; nothing where the price is not known."""
    return int((cost.usd or Decimal(0)) * NANOS)


async def book(
    session: AsyncSession, *, user_id: str, door: Door, bookings: Iterable[Booking]
) -> None:
    """Add to today's entries: in one statement and by model, so that no two wait for each other."""
    today = utc_now().date()
    rows: dict[str, dict[str, Any]] = {}
    for booking in bookings:
        row = rows.get(booking.model)
        if row is None:
            key = {"day": today, "user_id": user_id, "model": booking.model, "door": door}
            rows[booking.model] = key | booking.amounts
        else:
            row.update({name: row[name] + amount for name, amount in booking.amounts.items()})
    if not rows:
        return
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = insert(ModelUsage).values([rows[model] for model in sorted(rows)])
    added = {
        name: getattr(ModelUsage, name) + statement.excluded[name]
        for name in Booking(model="").amounts
    }
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["day", "user_id", "model", "door"], set_=added
        )
    )
