"""The catalogue as a list: thousands of tools, filtered, searched and sorted by the database."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from sqlalchemy import ColumnElement, Select, case, exists, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.openapi.definitions import Risk
from msil_mcp.pagination import decode_cursor
from msil_mcp.tools import models

ToolState = Literal["published", "changed", "draft", "disabled", "removed"]
"""`changed` is in force in an earlier version than the latest one."""
ToolOrder = Literal[
    "name", "-name", "title", "-title", "risk", "-risk", "tokens", "-tokens", "updated", "-updated"
]

_tool, _version = models.Tool, models.ToolVersionRow
_RISKS: Final = {"read": 0, "write": 1, "privileged": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFilters:
    """Which tools; every given condition must hold. Each word of `search` must occur."""

    search: str | None = None
    bundle: str | None = None
    spec: str | None = None
    risk: Risk | None = None
    state: ToolState | None = None
    edited: bool | None = None


@dataclass(frozen=True, slots=True)
class ToolRow:
    """A tool as a line of a list."""

    name: str
    title: str
    risk: Risk
    state: ToolState
    bundles: tuple[str, ...]
    spec: str
    operation_id: str
    method: str
    path: str
    tokens: int
    version: int
    published_version: int | None
    edited: bool
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """One page, one line more than asked for when there is another, and how many there are."""

    rows: Sequence[ToolRow]
    total: int


def sort_key(row: ToolRow, order: ToolOrder) -> tuple[int | str | float, ...]:
    """Where a line stands in the order, for the cursor."""
    values: dict[str, int | str] = {
        "name": row.name,
        "title": row.title,
        "risk": _RISKS[row.risk],
        "tokens": row.tokens,
        "updated": row.updated_at.isoformat(),
    }
    return values[order.lstrip("-")], row.name


class ToolListing:
    """Over one session: all tools in their latest versions, or some in those in force."""

    def __init__(self, session: AsyncSession, *, in_force: Collection[int] | None = None) -> None:
        """With `in_force`, the ids of the tools a caller sees: drafts are then not shown."""
        self._session = session
        self._in_force = in_force

    async def page(
        self, wanted: ToolFilters, *, order: ToolOrder = "name", cursor: str | None, limit: int
    ) -> Listed:
        """The lines after the cursor."""
        conditions = self._conditions(wanted)
        total = await self._session.execute(self._joined(select(func.count())).where(*conditions))
        query = self._ordered(self._columns().where(*conditions), order, cursor)
        found = (await self._session.execute(query.limit(limit + 1))).all()
        bundles = await bundles_of(self._session, [row[0] for row in found])
        rows = [
            ToolRow(
                name=name,
                title=title,
                risk=risk,
                state=state,
                bundles=bundles.get(tool_id, ()),
                spec=spec,
                operation_id=operation,
                method=method,
                path=path,
                tokens=tokens,
                version=number,
                published_version=published,
                edited=edited,
                updated_at=updated,
            )
            for (
                tool_id, name, operation, state, title, risk, method, path, tokens, number,
                updated, spec, published, edited,
            ) in found
        ]  # fmt: skip
        return Listed(rows, total.scalar_one())

    def _columns(self) -> Select[Any]:
        number = (
            select(models.ToolVersionRow.number)
            .where(models.ToolVersionRow.id == _tool.published_version_id)
            .correlate(_tool)
            .scalar_subquery()
        )
        return self._joined(
            select(
                _tool.id, _tool.name, _tool.operation_id, _state(), _version.title, _version.risk,
                _version.method, _version.path, _version.tokens, _version.number,
                _version.created_at, models.Spec.name, number, _edited(),
            )
        )  # fmt: skip

    def _joined(self, query: Select[Any]) -> Select[Any]:
        shown = _tool.latest_version_id if self._in_force is None else _tool.published_version_id
        return (
            query.select_from(_tool)
            .join(_version, _version.id == shown)
            .join(models.Spec, models.Spec.id == _tool.spec_id)
        )

    def _conditions(self, wanted: ToolFilters) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self._in_force is not None:
            found.append(_tool.id.in_(self._in_force))
        words = (wanted.search or "").casefold().split()
        found += [_version.searched.contains(word, autoescape=True) for word in words]
        if wanted.bundle is not None:
            found.append(_in_bundle(wanted.bundle))
        if wanted.spec is not None:
            found.append(models.Spec.name == wanted.spec)
        if wanted.risk is not None:
            found.append(_version.risk == wanted.risk)
        if wanted.state is not None:
            found.append(_state() == wanted.state)
        if wanted.edited is not None:
            found.append(_edited() if wanted.edited else ~_edited())
        return found

    def _ordered(self, query: Select[Any], order: ToolOrder, cursor: str | None) -> Select[Any]:
        column, shape = _ORDERS[order.lstrip("-")]
        falling = order.startswith("-")
        if cursor is not None:
            value, name = decode_cursor(cursor, shape)
            place = tuple_(literal(value, column.type), literal(name))
            key = tuple_(column, _tool.name)
            query = query.where(key < place if falling else key > place)
        keys = (column, _tool.name)
        return query.order_by(*(key.desc() for key in keys) if falling else keys)


async def bundles_of(session: AsyncSession, tool_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """For each tool the bundles it is in, by name."""
    member = models.BundleTool
    query = (
        select(member.tool_id, models.Bundle.name)
        .join(models.Bundle, models.Bundle.id == member.bundle_id)
        .where(member.tool_id.in_(tool_ids), member.excluded.is_(False))
        .order_by(models.Bundle.name)
    )
    names: dict[int, tuple[str, ...]] = {}
    for tool_id, name in (await session.execute(query)).all():
        names[tool_id] = (*names.get(tool_id, ()), name)
    return names


def _state() -> ColumnElement[Any]:
    return case(
        (_tool.removed_at.is_not(None), literal("removed")),
        (_tool.enabled.is_(False), literal("disabled")),
        (_tool.published_version_id.is_(None), literal("draft")),
        (_tool.published_version_id != _tool.latest_version_id, literal("changed")),
        else_=literal("published"),
    )


def _edited() -> ColumnElement[bool]:
    return exists().where(models.ToolEdit.tool_id == _tool.id)


def _in_bundle(name: str) -> ColumnElement[bool]:
    member = models.BundleTool
    return (
        exists()
        .where(member.tool_id == _tool.id, member.bundle_id == models.Bundle.id)
        .where(models.Bundle.name == name, member.excluded.is_(False))
    )


_Text = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$")]
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_RISK_RANK: Final = case(
    *((_version.risk == name, rank) for name, rank in _RISKS.items()), else_=len(_RISKS)
)
_ORDERS: Final[dict[str, tuple[Any, Any]]] = {
    "name": (_tool.name, tuple[_Text, _Text]),
    "title": (_version.title, tuple[_Text, _Text]),
    "risk": (_RISK_RANK, tuple[_Number, _Text]),
    "tokens": (_version.tokens, tuple[_Number, _Text]),
    "updated": (_version.created_at, tuple[_Moment, _Text]),
}
