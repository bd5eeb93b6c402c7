"""The tools of an example for fine-tuning: those it calls, and the others of their bundles."""

from collections.abc import Collection, Iterable
from typing import Any, Final

import msgspec
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from msil_mcp.llm.tools import ToolSpec, ToolTable
from msil_mcp.tools.models import BundleTool, Tool, ToolVersionRow

KEPT: Final = 32


class _Shown(msgspec.Struct):
    """What of a definition a model sees."""

    description: str
    input_schema: dict[str, Any]


class ExampleTools:
    """Tables of tools, converted once for all examples that call the same ones."""

    def __init__(self) -> None:
        self._tables: dict[tuple[frozenset[int], frozenset[str]], ToolTable] = {}

    async def of(
        self, session: AsyncSession, *, versions: Collection[int], names: Collection[str]
    ) -> ToolTable:
        """The versions that were called, the newest of others by name, and their neighbours."""
        key = frozenset(versions), frozenset(names)
        found = self._tables.get(key)
        if found is None:
            if len(self._tables) >= KEPT:
                self._tables.clear()
            found = self._tables[key] = await _table(session, key[0], key[1])
        return found


async def _table(
    session: AsyncSession, versions: frozenset[int], names: frozenset[str]
) -> ToolTable:
    specs: dict[str, ToolSpec] = {}
    called: set[int] = set()
    by_version = ToolVersionRow.id.in_(versions)
    latest = ToolVersionRow.id == Tool.latest_version_id
    for query in (
        _specs().where(by_version).order_by(ToolVersionRow.id.desc()),
        _specs().where(latest, Tool.name.in_(names)),
    ):
        rows = (await session.execute(query)).all()
        called |= {tool_id for tool_id, _, _ in rows}
        _add(specs, ((name, definition) for _, name, definition in rows))
    beside = aliased(BundleTool)
    neighbours = (
        select(beside.tool_id)
        .join(BundleTool, BundleTool.bundle_id == beside.bundle_id)
        .where(BundleTool.tool_id.in_(called))
    )
    in_force = ToolVersionRow.id == Tool.published_version_id
    others = _specs().where(in_force, Tool.enabled.is_(True), Tool.id.in_(neighbours))
    rows = (await session.execute(others)).all()
    _add(specs, ((name, definition) for _, name, definition in rows))
    return ToolTable(specs.values())


def _specs() -> Select[int, str, str]:
    columns = select(Tool.id, Tool.name, ToolVersionRow.definition)
    return columns.join(ToolVersionRow, ToolVersionRow.tool_id == Tool.id)


def _add(specs: dict[str, ToolSpec], rows: Iterable[tuple[str, str]]) -> None:
    for name, definition in rows:
        if name not in specs:
            shown = msgspec.json.decode(definition, type=_Shown)
            specs[name] = ToolSpec(
                name=name, description=shown.description, input_schema=shown.input_schema
            )
