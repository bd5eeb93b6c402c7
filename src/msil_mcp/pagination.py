"""Cursor pages: opaque cursors over a stable sort key, never offsets; and the times they span."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from fastapi import Query
from pydantic import AfterValidator, BaseModel

from msil_mcp.errors import BadRequest

Item = TypeVar("Item")
MAX_PAGE = 200

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Items on a page.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]


_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9000, 1, 1, tzinfo=UTC)


def _within_time(moment: datetime) -> datetime:
    """UTC without a zone; what is before all or after all is the first or last to be reckoned."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(aware, _FIRST), _LAST)


def _within_days(day: date) -> date:
    return min(max(day, _FIRST.date()), _LAST.date())


Moment = Annotated[datetime, AfterValidator(_within_time)]
Day = Annotated[date, AfterValidator(_within_days)]


class Page(BaseModel, Generic[Item]):
    """One page; `next_cursor` is absent on the last."""

    items: list[Item]
    next_cursor: str | None = None


class BadCursor(BadRequest):
    """The cursor was not made by this service."""

    slug = "bad_cursor"


def encode_cursor(*key: int | str | float) -> str:
    """An opaque cursor for the sort key of the last item on a page."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode_cursor(cursor: str, shape: type[Item]) -> Item:
    """The sort key inside a cursor, of the given tuple type; BadCursor if it is not one of ours."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.json.decode(raw, type=shape)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise BadCursor from error


def page_of(
    rows: Sequence[Item], *, limit: int, key: Callable[[Item], tuple[int | str | float, ...]]
) -> tuple[list[Item], str | None]:
    """Cut `limit + 1` fetched rows into a page and the cursor of the next."""
    if len(rows) <= limit:
        return list(rows), None
    kept = list(rows[:limit])
    return kept, encode_cursor(*key(kept[-1]))
