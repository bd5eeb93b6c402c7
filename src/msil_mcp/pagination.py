"""Cursor pages: opaque cursors over a stable sort key, never offsets."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

import msgspec
from fastapi import Query
from pydantic import BaseModel

from msil_mcp.errors import BadRequest

Item = TypeVar("Item")
MAX_PAGE = 200

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Items on a page.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]


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
