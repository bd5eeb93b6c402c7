"""What models took over a range of days: by day, by user, by model, by door, or by several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Date, String, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from msil_mcp.chat.ledger import Booking, ModelUsage
from msil_mcp.db.database import utc_now
from msil_mcp.errors import Unprocessable
from msil_mcp.identity.tables import ApiKey, User
from msil_mcp.pagination import BadCursor, decode_cursor, page_of

By = Literal["day", "user", "model", "door"]
LONGEST: Final = timedelta(days=400)
USUAL: Final = timedelta(days=30)
AMOUNTS: Final = tuple(Booking(model="").amounts)
_COLUMNS: Final[Mapping[By, InstrumentedAttribute[Any]]] = {
    "day": ModelUsage.day,
    "user": ModelUsage.user_id,
    "model": ModelUsage.model,
    "door": ModelUsage.door,
}


class BadRange(Unprocessable):
    """The days asked for are in the wrong order, or too many."""

    slug = "usage_bad_range"

    def __init__(self) -> None:
        super().__init__(days=LONGEST.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Days (UTC), the first and the last included; None is everybody, and any model."""

    first: date
    last: date
    user_id: str | None = None
    model: str | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The same for a query; an index begins with the day, another with the user."""
        found: list[ColumnElement[bool]] = [ModelUsage.day.between(self.first, self.last)]
        if self.user_id is not None:
            found.append(ModelUsage.user_id == self.user_id)
        if self.model is not None:
            found.append(ModelUsage.model == self.model)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was taken; `key` has the value of each thing it was asked by."""

    key: Mapping[By, Any]
    amounts: Mapping[str, int]


def days(first: date | None, last: date | None) -> tuple[date, date]:
    """The range that was meant: up to today, and thirty days long; BadRange."""
    end = last or utc_now().date()
    begin = first or end - USUAL + timedelta(days=1)
    if not timedelta(0) <= end - begin < LONGEST:
        raise BadRange
    return begin, end


async def totals(session: AsyncSession, wanted: Range) -> Mapping[str, int]:
    """Everything of the range."""
    query = select(*_sums()).where(*wanted.conditions)
    row = (await session.execute(query)).one()
    return dict(zip(AMOUNTS, map(int, row), strict=True))


async def usage_by(
    session: AsyncSession,
    wanted: Range,
    by: Sequence[By],
    *,
    cursor: str | None = None,
    limit: int,
) -> tuple[list[Usage], str | None]:
    """Rows in the order of what they are asked by; and the cursor of the next page."""
    columns = [_COLUMNS[name] for name in by]
    query = (
        select(*columns, *_sums()).where(*wanted.conditions).group_by(*columns).order_by(*columns)
    )
    if cursor is not None:
        query = query.where(tuple_(*columns) > tuple_(*_key(cursor, by)))
    rows = (await session.execute(query.limit(limit + 1))).all()
    found = [
        Usage(
            key=dict(zip(by, row[: len(by)], strict=True)),
            amounts=dict(zip(AMOUNTS, map(int, row[len(by) :]), strict=True)),
        )
        for row in rows
    ]
    return page_of(found, limit=limit, key=lambda usage: tuple(map(str, usage.key.values())))


async def names_of(session: AsyncSession, user_ids: Sequence[str]) -> Mapping[str, str]:
    """What people and keys are called; whom nobody knows here has no name."""
    people, keys = _numbers(user_ids, "user:"), _numbers(user_ids, "key:")
    found: dict[str, str] = {}
    if people:
        rows = await session.execute(select(User.id, User.display_name).where(User.id.in_(people)))
        found |= {f"user:{number}": name for number, name in rows}
    if keys:
        named = await session.execute(select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(keys)))
        found |= {f"key:{number}": name for number, name in named}
    return found


def _sums() -> list[ColumnElement[int]]:
    return [func.coalesce(func.sum(getattr(ModelUsage, name)), 0) for name in AMOUNTS]


def _key(cursor: str, by: Sequence[By]) -> list[ColumnElement[Any]]:
    values = decode_cursor(cursor, tuple[str, ...])
    if len(values) != len(by):
        raise BadCursor
    try:
        return [
            literal(date.fromisoformat(value), Date())
            if name == "day"
            else literal(value, String())
            for name, value in zip(by, values, strict=True)
        ]
    except ValueError as error:
        raise BadCursor from error


def _numbers(user_ids: Sequence[str], prefix: str) -> list[int]:
    ends = (each.removeprefix(prefix) for each in user_ids if each.startswith(prefix))
    return [int(end) for end in ends if end.isdecimal() and len(end) < 10]
